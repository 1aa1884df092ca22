#include "core/data/augmentations/place.h"
#include "core/data/preprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/core/data/support.h"

enum { MAX_SIDE = 16, MAX_PIXELS = MAX_SIDE * MAX_SIDE * 3 };

static mfm_dataset dataset_of(int channels, int height, int width)
{
    static char name[] = "made";
    mfm_dataset dataset = {
        .name = name, .height = height, .width = width, .channels = channels, .classes = 2};
    for (int c = 0; c < channels; c++) {
        dataset.mean[c] = 0.25 + 0.125 * c;
        dataset.deviation[c] = 0.5 - 0.125 * c;
    }
    return dataset;
}

static void fill_pixels(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)(1 + (i * 37) % 255); /* never black */
}

/* The slow way: build the fitted image, pad it into a second one, cut, mirror, normalise. */
typedef struct byte_canvas {
    int height, width, channels;
    uint8_t byte[4 * MAX_PIXELS * 3];
} byte_canvas;

static uint8_t *at(byte_canvas *canvas, int row, int column, int channel)
{
    return &canvas->byte[(row * canvas->width + column) * canvas->channels + channel];
}

static void fit_into(byte_canvas *fitted, const mfm_dataset *dataset, const uint8_t *pixels)
{
    const int above = (fitted->height - dataset->height) / 2;
    const int before = (fitted->width - dataset->width) / 2;
    memset(fitted->byte, 0, sizeof fitted->byte);
    for (int y = 0; y < dataset->height; y++)
        for (int x = 0; x < dataset->width; x++)
            for (int c = 0; c < fitted->channels; c++)
                *at(fitted, y + above, x + before, c) =
                    pixels[(y * dataset->width + x) * dataset->channels +
                           (dataset->channels == 1 ? 0 : c)];
}

static int reflected(int position, int size)
{
    while (position < 0 || position >= size)
        position = position < 0 ? -position : 2 * (size - 1) - position;
    return position;
}

static void pad_into(byte_canvas *padded, byte_canvas *fitted, int pad, enum mfm_border border)
{
    padded->height = fitted->height + 2 * pad;
    padded->width = fitted->width + 2 * pad;
    padded->channels = fitted->channels;
    for (int y = 0; y < padded->height; y++)
        for (int x = 0; x < padded->width; x++)
            for (int c = 0; c < padded->channels; c++) {
                const int row = y - pad, column = x - pad;
                const bool inside =
                    row >= 0 && row < fitted->height && column >= 0 && column < fitted->width;
                *at(padded, y, x, c) = inside ? *at(fitted, row, column, c)
                                       : border == MFM_BORDER_ZERO
                                           ? 0
                                           : *at(fitted, reflected(row, fitted->height),
                                                 reflected(column, fitted->width), c);
            }
}

static double normalised(const mfm_dataset *dataset, int channel, uint8_t byte)
{
    const int from = dataset->channels == 1 ? 0 : channel;
    return (byte / 255.0 - dataset->mean[from]) / dataset->deviation[from];
}

typedef struct placing {
    int pad, top, left;
    bool flip;
    enum mfm_border border;
} placing;

static int count_differences(const mfm_dataset *dataset, const mfm_preprocess *preprocess,
                             placing where)
{
    static byte_canvas fitted, padded;
    uint8_t pixels[MAX_PIXELS], room[2][MAX_PIXELS];
    real out[MAX_PIXELS];
    mfm_canvas canvas = {.height = preprocess->height,
                         .width = preprocess->width,
                         .channels = preprocess->channels,
                         .bytes = room[0],
                         .spare = room[1],
                         .border = where.border};
    fill_pixels(pixels, mfm_dataset_image_size(dataset));
    fitted.height = preprocess->height;
    fitted.width = preprocess->width;
    fitted.channels = preprocess->channels;
    fit_into(&fitted, dataset, pixels);
    pad_into(&padded, &fitted, where.pad, where.border);
    mfm_preprocess_pad(preprocess, pixels, canvas.bytes);
    mfm_shift(&canvas, where.pad, where.top, where.left);
    if (where.flip)
        mfm_mirror(&canvas);
    mfm_preprocess_normalise(preprocess, canvas.bytes, out);
    int different = 0;
    for (int y = 0; y < fitted.height; y++)
        for (int x = 0; x < fitted.width; x++)
            for (int c = 0; c < fitted.channels; c++) {
                const int column = where.flip ? fitted.width - 1 - x : x;
                const uint8_t byte = *at(&padded, y + where.top, column + where.left, c);
                different += out[(y * fitted.width + x) * fitted.channels + c] !=
                             (real)normalised(dataset, c, byte);
            }
    return different;
}

static void check_all_crops(int channels, int side, int out_channels, int out_height, int out_width,
                            placing where)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_dataset dataset = dataset_of(channels, side, side + 1);
    const mfm_augment none = {0};
    mfm_preprocess preprocess;
    CU_ASSERT_EQUAL_FATAL(mfm_preprocess_init(ctx, &dataset, out_channels, out_height, out_width,
                                              MFM_FIT_PAD, NULL, &none, &preprocess),
                          MFM_OK);
    for (where.top = 0; where.top <= 2 * where.pad; where.top++)
        for (where.left = 0; where.left <= 2 * where.pad; where.left++)
            for (int flip = 0; flip < 2; flip++) {
                where.flip = flip;
                CU_ASSERT_EQUAL(count_differences(&dataset, &preprocess, where), 0);
            }
    mfm_ctx_free(ctx);
}

static void crops_and_flips_match_the_slow_way(void)
{
    for (int border = MFM_BORDER_ZERO; border <= MFM_BORDER_REFLECT; border++)
        for (int pad = 0; pad < 4; pad++) {
            const placing where = {.pad = pad, .border = (enum mfm_border)border};
            check_all_crops(1, 5, 1, 5, 6, where);
            check_all_crops(3, 5, 3, 5, 6, where);
            check_all_crops(1, 4, 3, 7, 8, where);
            check_all_crops(3, 4, 3, 4, 9, where);
        }
}

static void a_byte_becomes_a_normalised_number(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_dataset dataset = dataset_of(1, 1, 3);
    const mfm_augment none = {0};
    mfm_preprocess preprocess;
    CU_ASSERT_EQUAL_FATAL(
        mfm_preprocess_init(ctx, &dataset, 1, 1, 3, MFM_FIT_NONE, NULL, &none, &preprocess),
        MFM_OK);
    CU_ASSERT_EQUAL_FATAL(/* without augmentation, too */
                          mfm_preprocess_init(ctx, &dataset, 1, 1, 3, MFM_FIT_NONE, NULL, NULL,
                                              &preprocess),
                          MFM_OK);
    CU_ASSERT_EQUAL(preprocess.augment.count, 0);
    const uint8_t pixels[] = {0, 51, 255};
    real out[3];
    mfm_preprocess_image(&preprocess, pixels, out);
    CU_ASSERT_DOUBLE_EQUAL(out[0], -0.5, 1e-7);
    CU_ASSERT_DOUBLE_EQUAL(out[1], -0.1, 1e-7);
    CU_ASSERT_DOUBLE_EQUAL(out[2], 1.5, 1e-7);
    mfm_ctx_free(ctx);
}

static void grey_is_copied_to_every_channel_and_centred(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_dataset dataset = dataset_of(1, 1, 1);
    const mfm_augment none = {0};
    mfm_preprocess preprocess;
    CU_ASSERT_EQUAL_FATAL(
        mfm_preprocess_init(ctx, &dataset, 3, 3, 3, MFM_FIT_PAD, NULL, &none, &preprocess), MFM_OK);
    CU_ASSERT_EQUAL(mfm_preprocess_size(&preprocess), 27);
    real out[27];
    const uint8_t white = 255;
    mfm_preprocess_image(&preprocess, &white, out);
    for (int i = 0; i < 27; i++)
        CU_ASSERT_DOUBLE_EQUAL(out[i], i / 3 == 4 ? 1.5 : -0.5, 1e-7);
    mfm_ctx_free(ctx);
}

/* Where a bright pixel goes tells what was drawn. */
static int draw_place(const mfm_augment *augment, uint64_t step, uint32_t slot)
{
    enum { SIDE = 9 };
    uint8_t room[2][SIDE * SIDE] = {{0}};
    mfm_canvas canvas = {
        .height = SIDE, .width = SIDE, .channels = 1, .bytes = room[0], .spare = room[1]};
    const mfm_draw draw = {9, 1, step, slot};
    canvas.bytes[4 * SIDE + 3] = 1;
    canvas.bytes[4 * SIDE + 4] = 2;
    mfm_augment_bytes(augment, &draw, &canvas);
    for (int i = 0; i < SIDE * SIDE; i++)
        if (canvas.bytes[i] == 2)
            return 2 * i + (canvas.bytes[i - 1] != 1);
    return -1;
}

static void draws_depend_on_the_key_alone_and_cover_every_place(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_augment augment;
    int seen[2 * 81] = {0}, changed = 0, places = 0;
    CU_ASSERT_EQUAL(mfm_augment_read(ctx, "shift:2,flip", MFM_BORDER_ZERO, &augment), MFM_OK);
    for (uint32_t slot = 0; slot < 2000; slot++) {
        const int place = draw_place(&augment, 77, slot);
        CU_ASSERT_FATAL(place >= 0);
        CU_ASSERT_EQUAL(place, draw_place(&augment, 77, slot));
        changed += place != draw_place(&augment, 78, slot);
        seen[place]++;
    }
    CU_ASSERT(changed > 1900); /* 49 of 50 on average */
    for (int i = 0; i < 2 * 81; i++) {
        places += seen[i] > 0;
        CU_ASSERT(seen[i] == 0 || (seen[i] > 10 && seen[i] < 75)); /* 40 on average, 6.3 about it */
    }
    CU_ASSERT_EQUAL(places, 50);
    mfm_ctx_free(ctx);
}

static void refuse(const mfm_dataset *dataset, int channels, int side, enum mfm_fit_how fit,
                   mfm_augment augment, int code, const char *message)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_preprocess preprocess;
    CU_ASSERT_EQUAL(
        mfm_preprocess_init(ctx, dataset, channels, side, side, fit, NULL, &augment, &preprocess),
        code);
    CHECK_MESSAGE(ctx, message);
    mfm_ctx_free(ctx);
}

static void shapes_that_cannot_be_bridged_are_refused(void)
{
    const mfm_augment none = {0};
    const mfm_dataset grey = dataset_of(1, 28, 28), colour = dataset_of(3, 32, 32);
    const char *const both = "images of made are [1,28,28], the model reads [3,32,32]: add --fit, "
                             "or use a model for 1x28x28";
    const mfm_dataset four = dataset_of(4, 32, 32);
    refuse(&grey, 3, 32, MFM_FIT_NONE, none, MFM_EINVAL, both);
    refuse(&grey, 1, 27, MFM_FIT_PAD, none, MFM_EINVAL, "[1,27,27]: --pad makes them larger");
    refuse(&grey, 2, 28, MFM_FIT_PAD, none, MFM_EINVAL, "[2,28,28]: use a model");
    refuse(&colour, 1, 32, MFM_FIT_PAD, none, MFM_EINVAL, "[1,32,32]");
    refuse(&colour, 4, 32, MFM_FIT_PAD, none, MFM_EINVAL, "[4,32,32]");
    refuse(&colour, 4, 32, MFM_FIT_RESIZE, none, MFM_EINVAL, "[4,32,32]: use a model");
    refuse(&four, 3, 32, MFM_FIT_RESIZE, none, MFM_EINVAL, "[3,32,32]: use a model");
}

static mfm_augment read_augment(const char *text, enum mfm_border border)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_augment augment;
    CU_ASSERT_EQUAL(mfm_augment_read(ctx, text, border, &augment), MFM_OK);
    mfm_ctx_free(ctx);
    return augment;
}

static void impossible_shifts_and_constants_are_refused(void)
{
    mfm_dataset grey = dataset_of(1, 4, 4);
    const mfm_augment none = {0};
    const mfm_dataset two = dataset_of(2, 4, 4);
    refuse(&grey, 1, 4, MFM_FIT_NONE, read_augment("shift:5", MFM_BORDER_ZERO), MFM_EINVAL,
           "shift by 5 pixels: 0 to 4");
    refuse(&grey, 1, 4, MFM_FIT_NONE, read_augment("shift:4", MFM_BORDER_REFLECT), MFM_EINVAL,
           "shift by 4 pixels: 0 to 3");
    refuse(&two, 2, 4, MFM_FIT_NONE, read_augment("randaugment", MFM_BORDER_ZERO), MFM_EINVAL,
           "randaugment: 2 channels: 1 or 3");
    grey.deviation[0] = 0;
    refuse(&grey, 1, 4, MFM_FIT_NONE, none, MFM_EDATA, "deviation 0 in channel 0");
}

/* Byte 51 is 51 / 100 = 0.51: 0.51 - 0.01 = 0.5, over 0.25 that is 2; the grey channel becomes
 * three with numbers of their own. */
static void a_model_may_bring_its_own_normalisation(void)
{
    const mfm_dataset grey = {.name = (char *)"made",
                              .height = 1,
                              .width = 2,
                              .channels = 1,
                              .classes = 2,
                              .unmeasured = true};
    const mfm_normalisation own = {3, 100, {0.01, 0, 0.51}, {0.25, 1, 2}};
    const mfm_augment none = {0};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_preprocess p;
    CU_ASSERT_EQUAL_FATAL(mfm_preprocess_init(ctx, &grey, 3, 1, 2, MFM_FIT_PAD, &own, &none, &p),
                          MFM_OK);
    const uint8_t pixels[] = {51, 0};
    const real expected[] = {2, (real)0.51, 0, (real)-0.04, 0, (real)-0.255};
    real out[6];
    mfm_preprocess_image(&p, pixels, out);
    for (int i = 0; i < 6; i++)
        CU_ASSERT_DOUBLE_EQUAL(out[i], expected[i], 1e-6);
    CU_ASSERT(mfm_normalisation_same(&own, &p.normalisation));
    CU_ASSERT_EQUAL(mfm_preprocess_init(ctx, &grey, 3, 1, 2, MFM_FIT_PAD, NULL, &none, &p),
                    MFM_EDATA);
    CHECK_MESSAGE(ctx, "made: no training images to measure mean and deviation on");
    mfm_ctx_free(ctx);
}

static void check_normalisation(mfm_normalisation n, const char *message)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_EQUAL(mfm_normalisation_check(ctx, &n), MFM_EDATA);
    CHECK_MESSAGE(ctx, message);
    mfm_ctx_free(ctx);
}

static void normalisations_that_cannot_be_used_are_refused(void)
{
    check_normalisation((mfm_normalisation){1, 0, {0}, {1}}, "scale 0");
    check_normalisation((mfm_normalisation){1, NAN, {0}, {1}}, "scale nan");
    check_normalisation((mfm_normalisation){2, 255, {0, NAN}, {1, 1}}, "mean nan in channel 1");
    check_normalisation((mfm_normalisation){1, 255, {0}, {-1}}, "deviation -1 in channel 0");
    check_normalisation((mfm_normalisation){1, 255, {0}, {1e-300}}, "float32");
    check_normalisation((mfm_normalisation){1, 255, {0}, {INFINITY}}, "different numbers");
}

static const mfm_case cases[] = {
    {"crops and flips match the slow way", crops_and_flips_match_the_slow_way},
    {"a byte becomes a normalised number", a_byte_becomes_a_normalised_number},
    {"grey is copied to every channel and centred", grey_is_copied_to_every_channel_and_centred},
    {"draws depend on the key alone and cover every place",
     draws_depend_on_the_key_alone_and_cover_every_place},
    {"shapes that cannot be bridged are refused", shapes_that_cannot_be_bridged_are_refused},
    {"a model may bring its own normalisation", a_model_may_bring_its_own_normalisation},
    {"normalisations that cannot be used are refused",
     normalisations_that_cannot_be_used_are_refused},
    {"impossible shifts and constants are refused", impossible_shifts_and_constants_are_refused},
};

MFM_SUITE("core/data/preprocess", cases)
