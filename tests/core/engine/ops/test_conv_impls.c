/* Every implementation of convolution by itself, over random shapes that it says it fits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/conv_reference.h"
#include "core/engine/kernels/vec.h"
#include "core/base/random.h"
#include "tests/refusals.h"
#include "../../../suite.h"

enum { SHAPES = 150, LARGE_SHAPES = 20, TRIES = 60 * SHAPES };

/* Draws of one seed, in order; MFM_TEST_SEED gives another. */
typedef struct dice {
    mfm_key key;
    uint64_t drawn;
} dice;

static dice dice_new(void)
{
    const char *given = getenv("MFM_TEST_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    printf("seed %llu ", (unsigned long long)seed);
    return (dice){.key = {.seed = seed, .stream = MFM_STREAM_TEST}};
}

/* A whole number in [low, high]. */
static int roll(dice *d, int low, int high)
{
    return low + (int)(mfm_random_uniform(&d->key, d->drawn++) * (high - low + 1));
}

/* Half of the numbers of channels are few, where vectors are not filled. */
static int channels(dice *d)
{
    return roll(d, 0, 1) ? roll(d, 1, 9) : roll(d, 10, 40);
}

static conv_geometry draw(dice *d)
{
    conv_geometry g = {"random", 0, 0, 0, 0, 0, 0, 0, {0}, {1, 1}, {0}, 1};
    g.n = roll(d, 1, 3);
    g.c = channels(d);
    g.o = channels(d);
    g.kh = roll(d, 1, 5);
    g.kw = roll(d, 1, 5);
    for (int i = 0; i < 2; i++)
        g.stride[i] = roll(d, 0, 2) ? 1 : roll(d, 1, 3);
    for (int i = 0; i < 4; i++)
        g.pads[i] = roll(d, 0, 1) ? 0 : roll(d, 0, 3);
    g.h = g.kh + roll(d, 0, 9);
    g.w = g.kw + roll(d, 0, 30);
    return g;
}

/* What Winograd's transforms take. */
static conv_geometry draw_3x3(dice *d)
{
    conv_geometry g = {"random", 0, 0, 0, 0, 0, 3, 3, {1, 1}, {1, 1}, {0}, 1};
    g.n = roll(d, 1, 4);
    g.c = 16 * roll(d, 1, 5);
    g.o = 16 * roll(d, 1, 5);
    g.h = roll(d, 3, 14);
    g.w = roll(d, 3, 14);
    for (int i = 0; i < 4; i++)
        g.pads[i] = roll(d, 0, 2);
    return g;
}

/* What panels take: vectors of results, from many channels. */
static conv_geometry draw_panels(dice *d)
{
    conv_geometry g = draw(d);
    g.n = roll(d, 1, 12);
    g.c = roll(d, 16, 20);
    g.o = 2 * MFM_VEC_LANES * roll(d, 1, 3);
    return g;
}

static void tell(const conv_geometry *g, int direction, int add, double error)
{
    printf("%d x [%d,%d,%d] -> %d, kernel %dx%d, strides %d,%d, pads %d,%d,%d,%d, direction %d%s: "
           "%g bounds off\n",
           g->n, g->c, g->h, g->w, g->o, g->kh, g->kw, g->stride[0], g->stride[1], g->pads[0],
           g->pads[1], g->pads[2], g->pads[3], direction, add ? ", adding" : "", error);
}

/* y = x * w + bias, within the rounding of the sum, into memory that ends with y. */
static void check_bias(const mfm_conv *conv, const mfm_conv_shape *shape, const conv_terms *t)
{
    real *y = conv_array(t->n_y, sizeof *y), *bias = conv_array(shape->o, sizeof *bias);
    real *scratch = conv_array((int64_t)mfm_conv_scratch(conv), sizeof *scratch);
    for (int64_t i = 0; i < shape->o; i++)
        bias[i] = (real)(i % 7 - 3);
    mfm_conv_forward_bias(conv, t->x, t->w, NULL, bias, y, scratch);
    const double terms = (double)(shape->kh * shape->kw * shape->c + 2);
    int wrong = 0;
    for (int64_t i = 0; i < t->n_y; i++) {
        const double b = (double)bias[i % shape->o];
        const double bound = conv_epsilon * terms * (t->ay[i] + fabs(b)) + 1e-300;
        wrong += !(fabs((double)y[i] - t->fy[i] - b) <= bound);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(y);
    free(bias);
    free(scratch);
}

/* share NULL: the images are a batch by themselves. */
static void check_share(mfm_ctx *ctx, const mfm_conv_impl *impl, const conv_geometry *g,
                        const mfm_share *share)
{
    const mfm_conv_impl *const list[] = {impl, &mfm_conv_general, NULL};
    mfm_conv_shape shape = conv_shape_of(g);
    if (share)
        shape.share = *share;
    const bool mixes = impl == &mfm_conv_winograd || impl == &mfm_conv_winograd_small ||
                       impl == &mfm_conv_winograd_chunks;
    conv_terms t = conv_terms_new(&shape);
    mfm_conv *conv = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_conv_new_from(ctx, &shape, false, list, &conv), MFM_OK);
    for (int direction = 0; direction < MFM_CONV_DIRECTIONS; direction++)
        for (int add = 0; add < 2; add++) {
            const double error =
                conv_worst_error(conv, &shape, &t, (enum mfm_conv_direction)direction, add,
                                 mixes ? CONV_BOUND_LARGEST : CONV_BOUND_OWN);
            CU_ASSERT(error <= 1);
            if (!(error <= 1))
                tell(g, direction, add, error);
        }
    CU_ASSERT_EQUAL(mfm_conv_takes_bias(conv), impl == &mfm_conv_direct);
    if (mfm_conv_takes_bias(conv))
        check_bias(conv, &shape, &t);
    mfm_conv_free(ctx, conv);
    conv_terms_free(&t);
}

static void check(mfm_ctx *ctx, const mfm_conv_impl *impl, const conv_geometry *g)
{
    check_share(ctx, impl, g, NULL);
}

/* In every direction that the implementation has. */
static bool fits(const mfm_conv_impl *impl, const mfm_conv_shape *shape)
{
    const int directions = impl->backward_data ? MFM_CONV_DIRECTIONS : MFM_CONV_FORWARD + 1;
    bool all = true;
    for (int direction = 0; direction < directions; direction++)
        all = all && impl->fits(shape, (enum mfm_conv_direction)direction);
    return all;
}

static void random_shapes(const mfm_conv_impl *impl, conv_geometry (*draw_shape)(dice *), int count)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    dice d = dice_new();
    int checked = 0;
    for (int i = 0; i < TRIES && checked < count; i++) {
        const conv_geometry g = draw_shape(&d);
        const mfm_conv_shape shape = conv_shape_of(&g);
        if (!fits(impl, &shape))
            continue;
        check(ctx, impl, &g);
        checked++;
    }
    CU_ASSERT_EQUAL(checked, count);
    mfm_ctx_free(ctx);
}

static void general(void)
{
    random_shapes(&mfm_conv_general, draw, SHAPES);
}

/* Strides, groups, a vector that is not filled. */
static const conv_geometry library[] = {
    {"one image", 1, 24, 9, 7, 40, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"fewer images than chunks", 5, 8, 9, 9, 12, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 4},
    {"more", 19, 16, 6, 5, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 16},
};

static void general_by_threads(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof library / sizeof library[0]; i++) {
        mfm_share share = mfm_share_whole(library[i].n);
        share.by_threads = true;
        check_share(ctx, &mfm_conv_general, &library[i], &share);
    }
    mfm_ctx_free(ctx);
}

static void direct(void)
{
    random_shapes(&mfm_conv_direct, draw, SHAPES);
}

/* Builds with wide vectors leave these shapes to others. */
static void panels(void)
{
    const bool wide = (int)MFM_VEC_BYTES > 32;
    random_shapes(&mfm_conv_panels, draw_panels, wide ? 0 : LARGE_SHAPES);
}

/* What a matrix product takes. */
static conv_geometry draw_1x1(dice *d)
{
    conv_geometry g = draw(d);
    g.kh = g.kw = 1;
    memset(g.pads, 0, sizeof g.pads);
    return g;
}

/* Larger kernels with strides, whose weights it takes in wide vectors. */
static const conv_geometry windows[] = {
    {"3 x 3, stride 2", 3, 64, 7, 8, 70, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1},
    {"2 x 5", 2, 67, 9, 11, 64, 2, 5, {2, 1}, {1, 1}, {0, 2, 1, 2}, 1},
    {"dilated", 2, 64, 11, 9, 66, 3, 2, {1, 3}, {2, 3}, {2, 1, 0, 3}, 1},
};

/* And those of one image. */
static const conv_geometry one_image[] = {
    {"3 x 3", 1, 24, 9, 7, 40, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"few channels, strides", 1, 3, 31, 29, 21, 7, 7, {2, 2}, {1, 1}, {3, 3, 3, 3}, 1},
    {"dilated", 1, 5, 11, 9, 66, 3, 2, {1, 3}, {2, 3}, {2, 1, 0, 3}, 1},
    {"1 x 1", 1, 70, 56, 57, 12, 1, 1, {1, 1}, {1, 1}, {0}, 1},
};

/* A matrix product between many channels: in narrow vectors for the weights alone, beside another
 * implementation's other directions. Otherwise with strides, too. */
static void pointwise(void)
{
    static const conv_geometry wide = {"1 x 1", 2, 264, 5, 3, 260, 1, 1, {1, 1}, {1, 1}, {0}, 1};
    const bool narrow = (int)MFM_VEC_BYTES <= 32;
    const mfm_conv_shape shape = conv_shape_of(&wide);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT(mfm_conv_pointwise.fits(&shape, MFM_CONV_WEIGHTS));
    CU_ASSERT_EQUAL(mfm_conv_pointwise.fits(&shape, MFM_CONV_FORWARD), !narrow);
    CU_ASSERT_EQUAL(mfm_conv_pointwise.fits(&shape, MFM_CONV_DATA), !narrow);
    check(ctx, &mfm_conv_pointwise, &wide);
    random_shapes(&mfm_conv_pointwise, draw_1x1, narrow ? 0 : SHAPES);
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        const mfm_conv_shape strided = conv_shape_of(&windows[i]);
        CU_ASSERT_EQUAL(mfm_conv_pointwise.fits(&strided, MFM_CONV_WEIGHTS), !narrow);
        CU_ASSERT_FALSE(mfm_conv_pointwise.fits(&strided, MFM_CONV_FORWARD));
        check(ctx, &mfm_conv_pointwise, &windows[i]);
    }
    for (size_t i = 0; i < sizeof one_image / sizeof one_image[0]; i++) {
        const mfm_conv_shape one = conv_shape_of(&one_image[i]);
        CU_ASSERT(mfm_conv_pointwise.fits(&one, MFM_CONV_WEIGHTS));
        check(ctx, &mfm_conv_pointwise, &one_image[i]);
    }
    mfm_ctx_free(ctx);
}

/* Large kernels, whole vectors and parts of one; the other directions are another's. */
static const conv_geometry single[] = {
    {"5 x 5", 2, 16, 9, 7, 16, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 16},
    {"the last vector overlaps", 3, 43, 7, 7, 43, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 43},
    {"strides", 2, 24, 14, 11, 24, 5, 5, {2, 2}, {1, 1}, {1, 2, 2, 1}, 24},
    {"larger than the image", 2, 32, 3, 4, 32, 7, 6, {1, 1}, {1, 1}, {3, 3, 3, 3}, 32},
    {"dilated", 1, 20, 13, 12, 20, 4, 3, {1, 2}, {2, 3}, {3, 1, 0, 4}, 20},
};

static void depthwise(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        mfm_conv_shape shape = conv_shape_of(&single[i]);
        CU_ASSERT(mfm_conv_depthwise.fits(&shape, MFM_CONV_WEIGHTS));
        CU_ASSERT_FALSE(mfm_conv_depthwise.fits(&shape, MFM_CONV_FORWARD));
        check(ctx, &mfm_conv_depthwise, &single[i]);
        shape.groups /= 2;
        CU_ASSERT_FALSE(mfm_conv_depthwise.fits(&shape, MFM_CONV_WEIGHTS));
    }
    mfm_ctx_free(ctx);
}

static void winograd(void)
{
    random_shapes(&mfm_conv_winograd, draw_3x3, LARGE_SHAPES);
}

static void winograd_small(void)
{
    random_shapes(&mfm_conv_winograd_small, draw_3x3, LARGE_SHAPES);
}

/* Tiles in several blocks, transformed kernels larger than a core's cache. */
static const conv_geometry blocks[] = {
    {"many tiles", 7, 16, 16, 13, 48, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"many channels", 4, 112, 10, 9, 80, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"the last vector half filled", 40, 16, 5, 5, 120, 3, 3, {1, 1}, {1, 1}, {0}, 1},
    {"both", 6, 64, 20, 20, 80, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
};

static void winograd_blocks(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        check(ctx, &mfm_conv_winograd, &blocks[i]);
        check(ctx, &mfm_conv_winograd_small, &blocks[i]);
    }
    mfm_ctx_free(ctx);
}

/* Tiles of three and of four results in a row, whole and cut off; several blocks of both channels;
 * the other directions are another's. */
static const conv_geometry few_tiles[] = {
    {"one tile of three", 40, 16, 5, 5, 120, 3, 3, {1, 1}, {1, 1}, {0}, 1},
    {"two, cut off", 9, 80, 5, 5, 96, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"three by one", 13, 64, 7, 5, 176, 3, 3, {1, 1}, {1, 1}, {2, 0, 2, 0}, 1},
    {"one tile of four", 35, 64, 4, 4, 80, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"two, cut off", 11, 144, 7, 7, 128, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"one image", 1, 64, 8, 8, 80, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"one tile", 1, 48, 3, 3, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
};

static void winograd_few_tiles(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof few_tiles / sizeof few_tiles[0]; i++) {
        const mfm_conv_shape shape = conv_shape_of(&few_tiles[i]);
        CU_ASSERT(mfm_conv_winograd_chunks.fits(&shape, MFM_CONV_WEIGHTS));
        CU_ASSERT_FALSE(mfm_conv_winograd_chunks.fits(&shape, MFM_CONV_FORWARD));
        check(ctx, &mfm_conv_winograd_chunks, &few_tiles[i]);
    }
    mfm_ctx_free(ctx);
}

/* LeNet's layers at their sizes: several slices, every kind of tile. */
static const conv_geometry lenet[] = {
    {"conv1", 5, 1, 28, 28, 6, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 1},
    {"conv2", 7, 6, 14, 14, 16, 5, 5, {1, 1}, {1, 1}, {0}, 1},
    {"conv3", 11, 16, 5, 5, 120, 3, 3, {1, 1}, {1, 1}, {0}, 1},
};

static void direct_lenet(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof lenet / sizeof lenet[0]; i++)
        check(ctx, &mfm_conv_direct, &lenet[i]);
    mfm_ctx_free(ctx);
}

static int make_and_free(mfm_ctx *ctx, void *self)
{
    const mfm_conv_impl *const list[] = {&mfm_conv_direct, NULL};
    mfm_conv *conv = NULL;
    const int status = mfm_conv_new_from(ctx, self, false, list, &conv);
    CU_ASSERT_EQUAL(status == MFM_OK, conv != NULL);
    mfm_conv_free(ctx, conv);
    return status;
}

static void every_failed_allocation_is_told(void)
{
    mfm_conv_shape shape = conv_shape_of(&lenet[0]);
    mfm_assert_refusals_are_told(make_and_free, &shape);
}

static const mfm_case cases[] = {
    {"the general implementation gives the defining sums", general},
    {"it gives them where sums go by threads", general_by_threads},
    {"direct convolution gives the defining sums", direct},
    {"direct convolution gives them for LeNet's layers", direct_lenet},
    {"panels of results give the defining sums", panels},
    {"1 x 1 gives them as a matrix product", pointwise},
    {"depthwise convolution gives them for the weights", depthwise},
    {"Winograd's transforms give the defining sums", winograd},
    {"its small transforms give them forward", winograd_small},
    {"Winograd's transforms give them over several blocks", winograd_blocks},
    {"its transforms of few tiles give them for the weights", winograd_few_tiles},
    {"every failed allocation of direct convolution is told", every_failed_allocation_is_told},
};

MFM_SUITE("core/engine/conv_impls", cases)
