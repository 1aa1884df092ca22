/*
 * What the library makes of image files, for the comparison with Pillow:
 *     fit_images CHANNELS HEIGHT WIDTH FILE...
 * writes the bytes [height, width, channels] of each file to standard output.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/data/images/fit_picture.h"
#include "core/data/sources/file_images.h"

static int run(mfm_ctx *ctx, mfm_preprocess *p, int count, char **paths)
{
    mfm_file_list list = {0};
    mfm_images images = {0};
    mfm_reader *reader = NULL;
    mfm_fitting fitting = {0};
    uint8_t *bytes = malloc(mfm_fitted_size(p));
    int status = bytes ? MFM_OK : MFM_ENOMEM;
    for (int i = 0; !status && i < count; i++)
        status = mfm_file_list_add(ctx, &list, paths[i], 0, 0);
    if (!status)
        status = mfm_file_images_new(ctx, "/", false, &list, &images);
    if (!status)
        status = mfm_reader_open(ctx, &images, 0, 0, 0, &reader);
    for (uint32_t i = 0; !status && i < images.count; i++) {
        status = mfm_reader_begin(reader, i);
        if (!status)
            status = mfm_fit_picture(&fitting, reader, p, NULL, bytes);
        if (status)
            fprintf(stderr, "%s\n", mfm_reader_picture(reader)->message);
        else
            fwrite(bytes, 1, mfm_fitted_size(p), stdout);
    }
    mfm_reader_close(ctx, reader);
    mfm_fitting_clear(&fitting);
    if (images.source)
        images.source->free(ctx, images.self);
    mfm_free(ctx, images.labels);
    mfm_file_list_clear(ctx, &list);
    free(bytes);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_dataset any_size = {
        .name = argv[0], .channels = 3, .mean = {0}, .deviation = {1, 1, 1, 1}};
    const mfm_augment none = {0};
    mfm_preprocess p;
    int status = mfm_preprocess_init(ctx, &any_size, atoi(argv[1]), atoi(argv[2]), atoi(argv[3]),
                                     false, NULL, &none, &p);
    if (!status)
        status = run(ctx, &p, argc - 4, argv + 4);
    mfm_ctx_free(ctx);
    return status ? 1 : 0;
}
