/* Convolution kernels of either implementation against the sums that define them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../support/conv_reference.h"
#include "tests/refusals.h"
#include "../../../suite.h"

static const conv_geometry geometries[] = {
    {"one pixel", 1, 1, 1, 1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"3x3 over one channel", 2, 1, 7, 6, 3, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"first layer", 3, 3, 9, 8, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"residual block", 2, 16, 8, 8, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"residual block that halves", 2, 16, 8, 8, 32, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1},
    {"wide block", 1, 64, 4, 4, 64, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"1x1", 2, 5, 6, 7, 9, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"1x1 of many channels", 2, 32, 5, 5, 48, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"1x1 with stride", 2, 16, 7, 7, 32, 1, 1, {2, 2}, {1, 1}, {0, 0, 0, 0}, 1},
    {"1x1 with padding", 1, 4, 3, 3, 4, 1, 1, {1, 1}, {1, 1}, {1, 0, 0, 1}, 1},
    {"1x1 in groups", 2, 8, 4, 3, 12, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 4},
    {"7x7 stem", 1, 3, 20, 17, 8, 7, 7, {2, 2}, {1, 1}, {3, 3, 3, 3}, 1},
    {"5x5 without padding", 2, 6, 12, 12, 16, 5, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"as large as the image", 3, 4, 5, 5, 7, 5, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"flat kernel", 2, 4, 5, 9, 6, 1, 7, {1, 1}, {1, 1}, {0, 3, 0, 3}, 1},
    {"tall kernel, uneven strides", 2, 3, 11, 6, 4, 5, 2, {3, 1}, {1, 1}, {2, 0, 2, 1}, 1},
    {"uneven padding", 2, 3, 6, 6, 5, 3, 3, {2, 2}, {1, 1}, {0, 0, 1, 1}, 1},
    {"more padding than image", 1, 2, 2, 3, 3, 3, 3, {2, 2}, {1, 1}, {4, 3, 2, 5}, 1},
    {"dilation", 2, 8, 9, 9, 8, 3, 3, {1, 1}, {2, 2}, {2, 2, 2, 2}, 1},
    {"uneven dilation and stride", 2, 3, 11, 10, 4, 3, 2, {2, 3}, {2, 3}, {1, 0, 2, 1}, 1},
    {"two groups", 2, 6, 6, 5, 4, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2},
    {"many channels in groups", 2, 32, 5, 5, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4},
    {"depthwise", 2, 16, 7, 7, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 16},
    {"depthwise with stride", 2, 6, 7, 7, 6, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 6},
    {"depthwise with two results a channel", 1, 5, 6, 6, 10, 3, 3, {1, 1}, {1, 1}, {0}, 5},
    {"residual block of tiles", 4, 16, 9, 8, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"image longer than a block of columns",
     1,
     16,
     72,
     72,
     2,
     3,
     3,
     {1, 1},
     {1, 1},
     {1, 1, 1, 1},
     1},
};

enum { GEOMETRIES = sizeof geometries / sizeof geometries[0] };

static void every_geometry(enum mfm_conv_direction direction)
{
    static const mfm_conv_impl *const sums[] = {&mfm_conv_direct, &mfm_conv_general, NULL};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (int i = 0; i < GEOMETRIES; i++) {
        const mfm_conv_shape shape = conv_shape_of(&geometries[i]);
        conv_terms t = conv_terms_new(&shape);
        mfm_conv *conv = NULL;
        CU_ASSERT_EQUAL_FATAL(mfm_conv_new_from(ctx, &shape, false, sums, &conv), MFM_OK);
        for (int add = 0; add < 2; add++) {
            const double error = conv_worst_error(conv, &shape, &t, direction, add, CONV_BOUND_OWN);
            CU_ASSERT(error <= 1);
            if (!(error <= 1))
                printf("%s%s: %g bounds off\n", geometries[i].name, add ? ", adding" : "", error);
        }
        mfm_conv_free(ctx, conv);
        conv_terms_free(&t);
    }
    mfm_ctx_free(ctx);
}

static void forward_is_the_sum(void)
{
    every_geometry(MFM_CONV_FORWARD);
}

static void data_gradient_is_the_sum(void)
{
    every_geometry(MFM_CONV_DATA);
}

static void weight_gradient_is_the_sum(void)
{
    every_geometry(MFM_CONV_WEIGHTS);
}

static void a_kernel_over_the_whole_image_gives_the_sum(void)
{
    static const conv_geometry whole = {"over the image", 3,      16,           5, 4, 24, 5, 4,
                                        {1, 2},           {1, 1}, {0, 0, 0, 0}, 1};
    const mfm_conv_shape shape = conv_shape_of(&whole);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    conv_terms t = conv_terms_new(&shape);
    mfm_conv *conv = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &shape, false, &conv), MFM_OK);
    for (int d = 0; d < MFM_CONV_DIRECTIONS; d++)
        CU_ASSERT(conv_worst_error(conv, &shape, &t, (enum mfm_conv_direction)d, true,
                                   CONV_BOUND_OWN) <= 1);
    mfm_conv_free(ctx, conv);
    conv_terms_free(&t);
    mfm_ctx_free(ctx);
}

static double dot(const real *a, const real *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <g, conv(x, w)> = <data(g, w), x> = <weights(g, x), w>, to rounding of the terms */
static void directions_are_adjoint(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (int i = 0; i < GEOMETRIES; i++) {
        const mfm_conv_shape shape = conv_shape_of(&geometries[i]);
        conv_terms t = conv_terms_new(&shape);
        mfm_conv *conv = NULL;
        CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &shape, false, &conv), MFM_OK);
        real *scratch = conv_array((int64_t)mfm_conv_scratch(conv) + 1, sizeof *scratch);
        real *y = conv_array(t.n_y, sizeof *y), *gx = conv_array(t.n_x, sizeof *gx);
        real *gw = conv_array(t.n_w, sizeof *gw);
        mfm_conv_forward(conv, t.x, t.w, y, false, scratch);
        mfm_conv_backward_data(conv, t.y, t.w, gx, false, scratch);
        mfm_conv_backward_weights(conv, t.y, t.x, gw, false, scratch);
        double size = 0;
        for (int64_t k = 0; k < t.n_y; k++)
            size += fabs((double)t.y[k]) * t.ay[k];
        const double forward = dot(t.y, y, t.n_y), bound = 64 * conv_epsilon * size;
        CU_ASSERT(fabs(forward - dot(gx, t.x, t.n_x)) <= bound);
        CU_ASSERT(fabs(forward - dot(gw, t.w, t.n_w)) <= bound);
        free(scratch);
        free(y);
        free(gx);
        free(gw);
        mfm_conv_free(ctx, conv);
        conv_terms_free(&t);
    }
    mfm_ctx_free(ctx);
}

static void packed_weights_give_the_same(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    int packs = 0;
    for (int i = 0; i < GEOMETRIES; i++) {
        const mfm_conv_shape shape = conv_shape_of(&geometries[i]);
        conv_terms t = conv_terms_new(&shape);
        mfm_conv *conv = NULL;
        CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &shape, false, &conv), MFM_OK);
        const int64_t packed = (int64_t)mfm_conv_packed(conv);
        real *scratch = conv_array((int64_t)mfm_conv_scratch(conv) + 1, sizeof *scratch);
        real *once = conv_array(packed + 1, sizeof *once);
        real *expected = conv_array(t.n_y, sizeof *expected), *y = conv_array(t.n_y, sizeof *y);
        mfm_conv_forward(conv, t.x, t.w, expected, false, scratch);
        mfm_conv_forward(conv, t.x, t.w, expected, true, scratch);
        if (packed)
            mfm_conv_pack(conv, t.w, once);
        mfm_conv_forward_packed(conv, t.x, packed ? once : t.w, y, false, scratch);
        mfm_conv_forward_packed(conv, t.x, packed ? once : t.w, y, true, scratch);
        CU_ASSERT_EQUAL(memcmp(y, expected, (size_t)t.n_y * sizeof *y), 0);
        packs += packed > 0;
        free(scratch);
        free(once);
        free(expected);
        free(y);
        mfm_conv_free(ctx, conv);
        conv_terms_free(&t);
    }
    CU_ASSERT(packs > 0);
    mfm_ctx_free(ctx);
}

/* x1 * w1 + x2 * w2 in one call, beside two calls, to the rounding of the largest result. */
static void a_pair_is_the_sum_of_two(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (int i = 0; i < GEOMETRIES; i++) {
        const mfm_conv_shape shape = conv_shape_of(&geometries[i]);
        conv_terms a = conv_terms_new(&shape);
        mfm_conv *conv = NULL;
        CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &shape, false, &conv), MFM_OK);
        real *scratch = conv_array((int64_t)mfm_conv_scratch(conv) + 1, sizeof *scratch);
        real *x = conv_array(a.n_x, sizeof *x), *w = conv_array(a.n_w, sizeof *w);
        real *expected = conv_array(a.n_y, sizeof *expected), *y = conv_array(a.n_y, sizeof *y);
        for (int64_t k = 0; k < a.n_x; k++)
            x[k] = a.x[a.n_x - 1 - k];
        for (int64_t k = 0; k < a.n_w; k++)
            w[k] = a.w[a.n_w - 1 - k];
        mfm_conv_forward(conv, a.x, w, expected, false, scratch);
        mfm_conv_forward(conv, x, a.w, expected, true, scratch);
        mfm_conv_forward_pair(conv, a.x, w, x, a.w, y, scratch);
        double worst = 0, largest = 0;
        for (int64_t k = 0; k < a.n_y; k++) {
            worst = fmax(worst, fabs((double)(y[k] - expected[k])));
            largest = fmax(largest, a.ay[k]);
        }
        CU_ASSERT(worst <= 32 * conv_epsilon * largest);
        void *const all[] = {scratch, x, w, expected, y};
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
            free(all[k]);
        mfm_conv_free(ctx, conv);
        conv_terms_free(&a);
    }
    mfm_ctx_free(ctx);
}

/* [1, 2; 3, 4] padded by one, kernel [1, 10; 100, 1000], stride 1: 3 x 3 windows */
static void hand_computed(void)
{
    const conv_geometry g = {"", 1, 1, 2, 2, 1, 2, 2, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1};
    const mfm_conv_shape shape = conv_shape_of(&g);
    const real x[] = {1, 2, 3, 4}, w[] = {1, 10, 100, 1000};
    const real expected[] = {1000, 2100, 200, 3010, 4321, 402, 30, 43, 4};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_conv *conv = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &shape, false, &conv), MFM_OK);
    real *scratch = conv_array((int64_t)mfm_conv_scratch(conv) + 1, sizeof *scratch);
    real y[9];
    mfm_conv_forward(conv, x, w, y, false, scratch);
    for (int i = 0; i < 9; i++)
        CU_ASSERT_EQUAL(y[i], expected[i]);
    free(scratch);
    mfm_conv_free(ctx, conv);
    mfm_ctx_free(ctx);
}

static void refuses(mfm_ctx *ctx, mfm_conv_shape shape, int code)
{
    mfm_conv *conv = NULL;
    CU_ASSERT_EQUAL(mfm_conv_new(ctx, &shape, false, &conv), code);
    CU_ASSERT_PTR_NULL(conv);
    CU_ASSERT(strlen(mfm_message(ctx)) > 0);
}

static void hostile_shapes_are_refused(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_conv_shape good = conv_shape_of(&geometries[3]);
    mfm_conv_shape bad = good;
    bad.groups = 0;
    refuses(ctx, bad, MFM_EDATA);
    bad.groups = 3;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.stride[1] = 0;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.pad_end[0] = -1;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.oh++;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.kh = 11;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.n = INT64_MAX;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.c = 1 << 30;
    refuses(ctx, bad, MFM_ENOTSUP);
    bad.o = 1 << 30;
    refuses(ctx, bad, MFM_EDATA);
    mfm_ctx_free(ctx);
}

static int make_and_free(mfm_ctx *ctx, void *self)
{
    mfm_conv *conv = NULL;
    const int status = mfm_conv_new(ctx, self, false, &conv);
    CU_ASSERT_EQUAL(status == MFM_OK, conv != NULL);
    mfm_conv_free(ctx, conv);
    return status;
}

static void every_failed_allocation_is_told(void)
{
    mfm_conv_shape shape = conv_shape_of(&geometries[3]);
    mfm_assert_refusals_are_told(make_and_free, &shape);
}

static const mfm_case cases[] = {
    {"a small result is the one computed by hand", hand_computed},
    {"forward is the defining sum, overwriting and adding", forward_is_the_sum},
    {"the gradient of the input is the defining sum", data_gradient_is_the_sum},
    {"the gradient of the weights is the defining sum", weight_gradient_is_the_sum},
    {"a kernel over the whole image gives the sum", a_kernel_over_the_whole_image_gives_the_sum},
    {"weights packed once give the same forward", packed_weights_give_the_same},
    {"a pair of convolutions is the sum of two", a_pair_is_the_sum_of_two},
    {"the three directions are adjoint", directions_are_adjoint},
    {"shapes without meaning are refused", hostile_shapes_are_refused},
    {"every failed allocation is told and leaks nothing", every_failed_allocation_is_told},
};

MFM_SUITE("core/engine/conv", cases)
