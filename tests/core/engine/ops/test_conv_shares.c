/* A convolution gives a sample the same bits whatever the number of samples at hand and of threads,
 * and gradients of weights that add up over ranks, for shapes of every implementation. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../suite.h"
#include "core/base/random.h"
#include "core/engine/kernels/conv/conv.h"
#include "core/engine/kernels/conv/conv_shape.h"

enum { SAMPLES = 11 };

typedef struct form {
    int64_t c, size, o, kernel, stride, dilation, pad, groups;
} form;

static const form forms[] = {
    {1, 20, 6, 5, 1, 1, 2, 1},    {16, 5, 120, 3, 1, 1, 0, 1},  {16, 32, 16, 3, 1, 1, 1, 1},
    {64, 8, 64, 3, 1, 1, 1, 1},   {128, 4, 128, 3, 1, 1, 1, 1}, {16, 16, 32, 3, 2, 1, 1, 1},
    {64, 8, 128, 3, 2, 1, 1, 1},  {64, 8, 256, 1, 1, 1, 0, 1},  {256, 4, 64, 1, 1, 1, 0, 1},
    {256, 4, 512, 1, 2, 1, 0, 1}, {3, 32, 64, 7, 2, 1, 3, 1},   {32, 12, 32, 3, 1, 1, 1, 32},
    {32, 12, 32, 3, 2, 1, 1, 32}, {32, 9, 64, 3, 1, 1, 1, 4},   {24, 10, 40, 3, 1, 2, 2, 1},
    {24, 9, 40, 5, 1, 1, 2, 1},   {96, 6, 24, 1, 1, 1, 0, 1},   {512, 3, 512, 3, 1, 1, 1, 1},
    {16, 5, 120, 5, 1, 1, 0, 1},
};
enum { FORMS = sizeof forms / sizeof *forms };

/* Samples of all ranks, the tensors of those at hand, and what a convolution makes of them. */
typedef struct sides {
    int64_t x, y, w; /* reals of a sample, of a result, of the weights */
    real *images, *results, *weights;
    real *forward, *packed, *data, *gradient;
} sides;

static mfm_conv_shape shape_of(const form *f, mfm_share share)
{
    const int64_t out =
        (f->size + 2 * f->pad - ((f->kernel - 1) * f->dilation + 1)) / f->stride + 1;
    return (mfm_conv_shape){.n = mfm_share_count(&share),
                            .share = share,
                            .c = f->c,
                            .h = f->size,
                            .w = f->size,
                            .o = f->o,
                            .oh = out,
                            .ow = out,
                            .kh = f->kernel,
                            .kw = f->kernel,
                            .stride = {f->stride, f->stride},
                            .dilation = {f->dilation, f->dilation},
                            .pad_begin = {f->pad, f->pad},
                            .pad_end = {f->pad, f->pad},
                            .groups = f->groups};
}

/* Numbers that are none. */
static real *space(int64_t count)
{
    const size_t size = mfm_conv_aligned((size_t)count) * sizeof(real);
    real *to = aligned_alloc(64, size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(to);
    memset(to, 0xff, size);
    return to;
}

static real *draw(int64_t count, uint32_t node)
{
    const mfm_key key = {.seed = 3, .stream = MFM_STREAM_TEST, .node = node};
    real *to = space(count);
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)(mfm_random_uniform(&key, (uint64_t)i) - 0.5);
    return to;
}

static sides make(const form *f)
{
    const mfm_conv_shape s = shape_of(f, mfm_share_whole(SAMPLES));
    sides t = {.x = mfm_conv_image_count(&s) / SAMPLES,
               .y = mfm_conv_result_count(&s) / SAMPLES,
               .w = mfm_conv_weight_count(&s)};
    t.images = draw(SAMPLES * t.x, 0);
    t.results = draw(SAMPLES * t.y, 1);
    t.weights = draw(t.w, 2);
    t.forward = space(SAMPLES * t.y);
    t.packed = space(SAMPLES * t.y);
    t.data = space(SAMPLES * t.x);
    t.gradient = space(t.w);
    return t;
}

static void clear(sides *t)
{
    real *const all[] = {t->images, t->results, t->weights, t->forward,
                         t->packed, t->data,    t->gradient};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* What a share of the samples gives, at its place. */
static void run(mfm_ctx *ctx, const form *f, mfm_share share, int threads, sides *t)
{
    const mfm_conv_shape s = shape_of(f, share);
    const int64_t first = mfm_share_first(&share);
    const real *x = t->images + first * t->x, *gy = t->results + first * t->y;
    mfm_conv *conv, *frozen;
    omp_set_num_threads(threads);
    CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &s, false, &conv), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &s, true, &frozen), MFM_OK);
    const size_t most = mfm_conv_scratch(conv) + mfm_conv_scratch(frozen);
    real *scratch = space((int64_t)most + 1);
    real *packed = space((int64_t)mfm_conv_packed(frozen) + 1);
    mfm_conv_forward(conv, x, t->weights, t->forward + first * t->y, false, scratch);
    mfm_conv_backward_data(conv, gy, t->weights, t->data + first * t->x, false, scratch);
    mfm_conv_backward_weights(conv, gy, x, t->gradient, false, scratch);
    if (mfm_conv_packed(frozen))
        mfm_conv_pack(frozen, t->weights, packed);
    mfm_conv_forward_packed(frozen, x, mfm_conv_packed(frozen) ? packed : t->weights,
                            t->packed + first * t->y, false, scratch);
    mfm_conv_free(ctx, conv);
    mfm_conv_free(ctx, frozen);
    free(scratch);
    free(packed);
}

static void expect_same(const char *what, const form *f, const real *a, const real *b, int64_t n)
{
    const bool same = memcmp(a, b, (size_t)n * sizeof *a) == 0;
    if (!same)
        printf("\n    %lld x %lld^2 to %lld by %lld, stride %lld, %lld groups: %s ",
               (long long)f->c, (long long)f->size, (long long)f->o, (long long)f->kernel,
               (long long)f->stride, (long long)f->groups, what);
    CU_ASSERT_TRUE(same);
}

static void compare(const form *f, const sides *whole, const sides *other)
{
    expect_same("results", f, whole->forward, other->forward, SAMPLES * whole->y);
    expect_same("results of inference", f, whole->packed, other->packed, SAMPLES * whole->y);
    expect_same("gradient of the images", f, whole->data, other->data, SAMPLES * whole->x);
    expect_same("gradient of the weights", f, whole->gradient, other->gradient, whole->w);
}

/* Batches of one sample have implementations of their own. */
static void compare_threads(int64_t samples)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    const int before = omp_get_max_threads();
    for (int i = 0; i < FORMS; i++) {
        sides whole = make(&forms[i]), other = make(&forms[i]);
        run(ctx, &forms[i], mfm_share_whole(samples), 1, &whole);
        for (int threads = 2; threads <= 5; threads += 3) {
            run(ctx, &forms[i], mfm_share_whole(samples), threads, &other);
            compare(&forms[i], &whole, &other);
        }
        clear(&whole);
        clear(&other);
    }
    omp_set_num_threads(before);
    mfm_ctx_free(ctx);
}

static void test_threads(void)
{
    compare_threads(SAMPLES);
}

static void test_one_sample(void)
{
    compare_threads(1);
}

/* Two ranks, of 5 and 6 samples. */
static void test_ranks(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    const int before = omp_get_max_threads();
    for (int i = 0; i < FORMS; i++) {
        sides whole = make(&forms[i]), other = make(&forms[i]);
        run(ctx, &forms[i], mfm_share_whole(SAMPLES), 2, &whole);
        run(ctx, &forms[i], mfm_share_of(SAMPLES, 0, 2, NULL), 2, &other);
        real *first = space(other.w);
        memcpy(first, other.gradient, (size_t)other.w * sizeof *first);
        run(ctx, &forms[i], mfm_share_of(SAMPLES, 1, 2, NULL), 1, &other);
        for (int64_t k = 0; k < other.w; k++)
            other.gradient[k] = first[k] + other.gradient[k];
        compare(&forms[i], &whole, &other);
        free(first);
        clear(&whole);
        clear(&other);
    }
    omp_set_num_threads(before);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"threads do not matter", test_threads},
    {"nor do they for a batch of one sample", test_one_sample},
    {"nor does it matter which samples are at hand", test_ranks},
};
MFM_SUITE("core/engine/conv_shares", cases)
