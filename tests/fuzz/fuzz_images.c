/* Image files: what is accepted has all its pixels, however small the decoder makes them, and its
 * resized form. The first byte of an input chooses by how much they are reduced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/data/images/decoder.h"
#include "core/data/images/fit_picture.h"
#include "tests/core/data/images/image_writer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/scratch.h"

enum { MEMORY = 8 << 20, SIDE = 24, MOST_BYTES = 1 << 16 };

static void resize(const mfm_ctx *ctx, const mfm_picture *picture)
{
    static uint8_t out[SIDE * SIDE * 3];
    const mfm_preprocess p = {.source_height = SIDE,
                              .source_width = SIDE,
                              .source_channels = 3,
                              .full_height = SIDE,
                              .full_width = SIDE};
    mfm_fitting fitting = {.colours = NULL};
    const mfm_fit fit = mfm_fit_choose(&p, picture->height, picture->width, NULL);
    const int status = mfm_fit_picture(&fitting, &p, &fit, picture, out);
    fuzz_need(status == MFM_OK || status == MFM_ENOMEM, ctx, "a picture is resized");
    mfm_fitting_clear(&fitting);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_memory memory = {MEMORY};
    mfm_ctx *ctx = size ? fuzz_ctx(&memory) : NULL;
    mfm_decoder *decoder = ctx ? mfm_decoder_new() : NULL;
    mfm_picture picture = {.message = ""};
    if (decoder) {
        mfm_decoder_set_memory(decoder, MEMORY);
        int status = mfm_decoder_begin_bytes(decoder, "fuzz", bytes + 1, size - 1, &picture);
        if (status == MFM_OK)
            status = mfm_decoder_pixels(decoder, 1 << (bytes[0] & 3), &picture);
        fuzz_need(status == MFM_OK || strncmp(picture.message, "fuzz: ", 6) == 0, ctx,
                  "a refusal names the file");
        unsigned sum = 0;
        const size_t count = (size_t)picture.height * (size_t)picture.width * 3;
        for (size_t i = 0; status == MFM_OK && i < count; i++)
            sum += picture.pixels[i];
        fuzz_need(status != MFM_OK || sum <= 255 * count, ctx, "pixels are bytes");
        if (status == MFM_OK) {
            resize(ctx, &picture);
            fuzz_whole++;
        }
    }
    mfm_decoder_free(decoder);
    if (ctx)
        mfm_ctx_free(ctx);
    return 0;
}

/* ---- seeds ---- */

static bool seed(fuzz_take *take, void *self, bool jpeg, const image_form *form)
{
    static uint8_t bytes[MOST_BYTES], pixels[2 * 4 * 20 * 20];
    char path[SCRATCH];
    if (!scratch_file(path, "fuzz-image"))
        return false;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7 + i / 20);
    (jpeg ? write_jpeg : write_png)(path, form, pixels);
    FILE *file = fopen(path, "rb");
    bytes[0] = (uint8_t)form->channels;
    const size_t size = file ? fread(bytes + 1, 1, sizeof bytes - 1, file) : 0;
    if (file)
        fclose(file);
    unlink(path);
    take(self, bytes, size + 1);
    return size > 0;
}

bool fuzz_seeds(fuzz_take *take, void *self)
{
    static const image_form jpeg[] = {
        {.height = 17, .width = 20, .channels = 3},
        {.height = 9, .width = 20, .channels = 1, .orientation = 6},
        {.height = 9, .width = 9, .channels = 4},
        {.height = 16, .width = 16, .channels = 3, .progressive = 1, .orientation = 3}};
    static const image_form png[] = {{.height = 17, .width = 20, .channels = 3, .orientation = 8},
                                     {.height = 9, .width = 20, .channels = 1, .palette = 1},
                                     {.height = 9, .width = 9, .channels = 4, .progressive = 1},
                                     {.height = 5, .width = 7, .channels = 2, .depth = 16},
                                     {.height = 1, .width = 1, .channels = 1}};
    bool made = true;
    for (size_t i = 0; i < sizeof jpeg / sizeof jpeg[0]; i++)
        made = seed(take, self, true, &jpeg[i]) && made;
    for (size_t i = 0; i < sizeof png / sizeof png[0]; i++)
        made = seed(take, self, false, &png[i]) && made;
    return made;
}
