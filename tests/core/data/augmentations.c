/* Augmentations: how a list is read, that draws stay within their ranges, and byte for byte what
 * Pillow and torchvision make of an image (tests/data/augmentations/pillow.txt). */
#include "core/data/augmentations/augmentation.h"

#include <stdlib.h>
#include <string.h>

#include "core/data/augmentations/colours.h"
#include "core/data/augmentations/randaugment.h"
#include "core/data/fnv.h"
#include "tests/core/data/support.h"

enum { HEIGHT = 37, WIDTH = 52, SIZE = HEIGHT * WIDTH * 3 };

static uint8_t room[2][SIZE];
static mfm_canvas canvas;

/* As in pillow.py. */
static void fill(int channels)
{
    canvas = (mfm_canvas){
        .height = HEIGHT, .width = WIDTH, .channels = channels, .bytes = room[0], .spare = room[1]};
    for (int y = 0, i = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < channels; c++, i++)
                canvas.bytes[i] =
                    (uint8_t)(30 + (x * (3 + c) + y * (5 - c) + (x * y * (7 + c)) % 41) % 200);
}

static void changes_are_those_of_pillow(void)
{
    FILE *file = fopen(MFM_TEST_DATA "/augmentations/pillow.txt", "r");
    char line[256], name[32], channels[8];
    int level, sign, lines = 0;
    unsigned long long expected;
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        CU_ASSERT_EQUAL_FATAL(
            sscanf(line, "%31s %7s %d %d %llx", name, channels, &level, &sign, &expected), 5);
        fill(strcmp(channels, "L") == 0 ? 1 : 3);
        int change = 0;
        while (change < MFM_RANDAUGMENT_CHANGES && strcmp(mfm_randaugment_name(change), name) != 0)
            change++;
        if (change < MFM_RANDAUGMENT_CHANGES)
            mfm_randaugment_apply(&canvas, change, level, sign < 0);
        else if (strcmp(name, "Hue") == 0)
            mfm_hue(&canvas, sign * level / 100.0);
        else
            CU_FAIL_FATAL("a change that is not known");
        const uint64_t hash =
            mfm_fnv(MFM_FNV_START, canvas.bytes, (size_t)(HEIGHT * WIDTH * canvas.channels));
        if (hash != expected)
            printf("\n    %s", line);
        CU_ASSERT_EQUAL(hash, expected);
        lines++;
    }
    CU_ASSERT(lines > 200);
    fclose(file);
}

static void check(const char *text, int code, const char *message)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_augment augment;
    CU_ASSERT_EQUAL(mfm_augment_read(ctx, text, MFM_BORDER_ZERO, &augment), code);
    if (code)
        CHECK_MESSAGE(ctx, message);
    mfm_ctx_free(ctx);
}

static void a_list_is_read_in_its_order(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_augment a;
    CU_ASSERT_EQUAL(mfm_augment_read(ctx, "resized-crop:0.5,flip,color-jitter:0.1:0.2,erasing",
                                     MFM_BORDER_REFLECT, &a),
                    MFM_OK);
    CU_ASSERT(a.count == 4 && a.border == MFM_BORDER_REFLECT && mfm_augment_crops(&a));
    CU_ASSERT_EQUAL(a.use[0].arguments[0], 0.5);
    CU_ASSERT(a.use[2].arguments[1] == 0.2 && a.use[2].arguments[2] == 0.4);
    CU_ASSERT_EQUAL(mfm_augment_read(ctx, "none", MFM_BORDER_ZERO, &a), MFM_OK);
    CU_ASSERT(a.count == 0 && !mfm_augment_crops(&a));
    mfm_ctx_free(ctx);
    check("blur", MFM_EINVAL, "unknown augmentation blur: expected none, or resized-crop, shift");
    check("flip,,shift", MFM_EINVAL, "unknown augmentation ");
    check("flip,shift,flip", MFM_EINVAL, "flip stands in it twice");
    check("flip,resized-crop", MFM_EINVAL, "resized-crop works before flip: put it first");
    check("erasing,flip", MFM_EINVAL, "flip works before erasing");
    check("shift:1.5", MFM_EINVAL, "PIXELS is a whole number from 0");
    check("shift:1:2", MFM_EINVAL, "shift: it takes 1 number");
    check("erasing:2", MFM_EINVAL, "P is a number from 0 to 1");
    check("erasing:", MFM_EINVAL, "P is a number");
    check("erasing:nan", MFM_EINVAL, "P is a number");
}

/* Half of the images lose a rectangle of 2 to 33 %, at any place. */
static void erasing_takes_its_share(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_augment a;
    static real image[32 * 32];
    int erased = 0, corner = 0;
    double sum = 0;
    CU_ASSERT_EQUAL(mfm_augment_read(ctx, "erasing", MFM_BORDER_ZERO, &a), MFM_OK);
    for (uint32_t slot = 0; slot < 4000; slot++) {
        const mfm_draw draw = {3, 0, 5, slot};
        int zeros = 0;
        for (int i = 0; i < 32 * 32; i++)
            image[i] = 1;
        mfm_augment_numbers(&a, &draw, 32, 32, 1, image);
        for (int i = 0; i < 32 * 32; i++)
            zeros += image[i] == 0;
        CU_ASSERT(zeros == 0 || (zeros > 10 && zeros < 0.36 * 32 * 32));
        erased += zeros > 0;
        corner += image[0] == 0;
        sum += zeros;
    }
    CU_ASSERT(erased > 1850 && erased < 2150);               /* deviation 32 */
    CU_ASSERT_DOUBLE_EQUAL(sum / erased / 1024, 0.17, 0.01); /* some of 0.175 do not fit */
    CU_ASSERT(corner > 0);
    mfm_ctx_free(ctx);
}

/* Areas are uniform from 8 to 100 % where they fit, ratios between 3/4 and 4/3. */
static void crops_stay_within_their_bounds(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_augment a;
    double share = 0;
    CU_ASSERT_EQUAL(mfm_augment_read(ctx, "resized-crop", MFM_BORDER_ZERO, &a), MFM_OK);
    for (uint32_t slot = 0; slot < 4000; slot++) {
        const mfm_draw draw = {3, 0, 5, slot};
        const mfm_rectangle r = mfm_augment_crop(&a, &draw, 300, 400);
        const double ratio = (double)r.width / r.height;
        CU_ASSERT(r.top >= 0 && r.left >= 0 && r.top + r.height <= 300 && r.left + r.width <= 400);
        CU_ASSERT(ratio > 0.73 && ratio < 1.36);
        share += r.width * r.height / 120000.0 / 4000;
    }
    CU_ASSERT(share > 0.40 && share < 0.54);
    const mfm_draw draw = {3, 0, 5, 0};
    const mfm_rectangle tall = mfm_augment_crop(&a, &draw, 1000, 10);
    CU_ASSERT(tall.width == 10 && tall.height == 13 && tall.left == 0 && tall.top == 493);
    mfm_ctx_free(ctx);
}

/* A factor of brightness that is drawn shows in a grey image; the mean over images is 1. */
static void jitter_stays_within_its_bounds(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_augment a;
    double sum = 0;
    int least = 255, most = 0;
    CU_ASSERT_EQUAL(mfm_augment_read(ctx, "color-jitter:0.4:0:0:0", MFM_BORDER_ZERO, &a), MFM_OK);
    for (uint32_t slot = 0; slot < 3000; slot++) {
        const mfm_draw draw = {3, 0, 5, slot};
        fill(1);
        memset(canvas.bytes, 100, HEIGHT * WIDTH);
        mfm_augment_bytes(&a, &draw, &canvas);
        const int byte = canvas.bytes[7];
        least = byte < least ? byte : least;
        most = byte > most ? byte : most;
        sum += byte / 3000.0;
    }
    CU_ASSERT(least >= 60 && least < 62 && most <= 140 && most > 137);
    CU_ASSERT_DOUBLE_EQUAL(sum, 99.5, 2); /* cut off after the point */
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"changes are those of Pillow", changes_are_those_of_pillow},
    {"a list is read in its order", a_list_is_read_in_its_order},
    {"erasing takes its share", erasing_takes_its_share},
    {"crops stay within their bounds", crops_stay_within_their_bounds},
    {"jitter stays within its bounds", jitter_stays_within_its_bounds},
};

MFM_SUITE("core/data/augmentations", cases)
