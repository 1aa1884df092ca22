/*
 * What the library makes of image files, for the comparison with Pillow:
 *     fit_images CHANNELS HEIGHT WIDTH FILE...
 * writes the bytes [height, width, channels] of each file to standard output: resized to cover
 * 256 / 224 of that, and the centre cut out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/data/image_reader.h"

static int run(mfm_ctx *ctx, const mfm_preprocess *p, int count, char **paths)
{
    const size_t size = mfm_preprocess_size(p);
    mfm_image_reader *reader = NULL;
    real *numbers = malloc(size * sizeof *numbers);
    int status = numbers ? mfm_image_reader_new(ctx, p, &reader) : MFM_ENOMEM;
    for (int i = 0; !status && i < count; i++) {
        status = mfm_image_reader_read(reader, paths[i], numbers);
        for (size_t k = 0; !status && k < size; k++)
            putchar((int)numbers[k]);
    }
    if (status)
        fprintf(stderr, "%s\n", mfm_message(ctx));
    mfm_image_reader_free(ctx, reader);
    free(numbers);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const int channels = atoi(argv[1]), height = atoi(argv[2]), width = atoi(argv[3]);
    const mfm_preprocess_info info = {
        .channels = channels,
        .height = height,
        .width = width,
        .image_channels = channels,
        .image_height = height,
        .image_width = width,
        .full_height = height * 256 / 224,
        .full_width = width * 256 / 224,
        .normalisation = {.channels = channels, .scale = 1, .deviation = {1, 1, 1}}};
    mfm_preprocess p;
    int status = mfm_preprocess_files(ctx, &info, &p);
    if (!status)
        status = run(ctx, &p, argc - 4, argv + 4);
    mfm_ctx_free(ctx);
    return status ? 1 : 0;
}
