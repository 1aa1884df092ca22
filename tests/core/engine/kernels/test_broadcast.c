#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../../../suite.h"
#include "core/engine/kernels/broadcast.h"
#include "core/engine/kernels/reduce.h"
#include "../support/naive.h"

enum { ROUNDS = 300 };

static real *drawn(mfm_draws *draws, int64_t count)
{
    real *made = malloc((size_t)count * sizeof *made);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    mfm_draw_reals(draws, made, count);
    return made;
}

static double combined(enum mfm_binary op, double a, double b)
{
    const double results[] = {a + b, a - b, a * b, a / b};
    return results[op];
}

/* Two operands that together make up `full`: what one has not stretched, the other has in full. */
static void draw_operands(mfm_draws *draws, const mfm_shape *full, mfm_shape *a, mfm_shape *b)
{
    *a = *full;
    *b = mfm_draw_operand(draws, full);
    for (int i = 0; i < b->rank; i++) {
        const int at = full->rank - b->rank + i;
        if (b->dim[i] == full->dim[at] && mfm_draw(draws, 0, 2) == 0)
            a->dim[at] = 1;
    }
    if (mfm_draw(draws, 0, 1)) {
        const mfm_shape swap = *a;
        *a = *b;
        *b = swap;
    }
}

static bool binary_agrees(mfm_draws *draws, int round, int longest)
{
    const mfm_shape full = mfm_draw_shape(draws, MFM_MAX_RANK, longest);
    mfm_shape a_shape, b_shape, common;
    draw_operands(draws, &full, &a_shape, &b_shape);
    bool agree =
        mfm_broadcast_shape(&a_shape, &b_shape, &common) && mfm_shape_equal(&common, &full);
    const enum mfm_binary op = (enum mfm_binary)mfm_draw(draws, 0, 3);
    const bool add = mfm_draw(draws, 0, 1);
    const int64_t count = mfm_shape_count(&full), b_count = mfm_shape_count(&b_shape);
    real *a = drawn(draws, mfm_shape_count(&a_shape)), *b = drawn(draws, b_count);
    real *y = drawn(draws, count), *before = drawn(draws, count);
    for (int64_t i = 0; i < b_count; i++)
        b[i] += b[i] < 0 ? (real)-0.5 : (real)0.5;
    memcpy(before, y, (size_t)count * sizeof *y);
    mfm_broadcast_binary(op, &full, &a_shape, a, &b_shape, b, y, add);
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = mfm_naive_operand(&full, &full, i);
        const double value = combined(op, (double)a[mfm_naive_operand(&full, &a_shape, i)],
                                      (double)b[mfm_naive_operand(&full, &b_shape, i)]);
        agree = agree && mfm_naive_close((double)y[at], value + (add ? (double)before[at] : 0), 1);
    }
    free(a);
    free(b);
    free(y);
    free(before);
    return agree || mfm_naive_report(draws, "binary", round, &full);
}

static void test_binary(void)
{
    mfm_draws draws = mfm_draws_new(11);
    for (int i = 0; i < ROUNDS; i++)
        CU_ASSERT_TRUE(binary_agrees(&draws, i, 5));
}

static void test_binary_large(void)
{
    mfm_draws draws = mfm_draws_new(12);
    for (int i = 0; i < 30; i++)
        CU_ASSERT_TRUE(binary_agrees(&draws, i, 11));
}

static bool reduce_agrees(mfm_draws *draws, int round, int longest)
{
    const mfm_shape full = mfm_draw_shape(draws, MFM_MAX_RANK, longest);
    const mfm_shape shape = mfm_draw_operand(draws, &full),
                    b_shape = mfm_draw_operand(draws, &full);
    const int64_t count = mfm_shape_count(&full), kept = mfm_shape_count(&shape);
    const bool add = mfm_draw(draws, 0, 1), weighted = mfm_draw(draws, 0, 1);
    const real scale = mfm_draw(draws, 0, 1) ? 1 : (real)-0.25;
    real *g = drawn(draws, count), *b = drawn(draws, mfm_shape_count(&b_shape));
    real *to = drawn(draws, kept);
    double *expected = calloc((size_t)kept, sizeof *expected);
    CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
    for (int64_t i = 0; i < kept; i++)
        expected[i] = add ? (double)to[i] : 0;
    for (int64_t i = 0; i < count; i++)
        expected[mfm_naive_operand(&full, &shape, i)] +=
            (double)scale * (double)g[mfm_naive_operand(&full, &full, i)] *
            (weighted ? (double)b[mfm_naive_operand(&full, &b_shape, i)] : 1);
    mfm_broadcast_reduce(NULL, &full, g, &b_shape, weighted ? b : NULL, scale, &shape, to, add);
    bool agree = true;
    for (int64_t i = 0; i < kept; i++)
        agree = agree && mfm_naive_close((double)to[i], expected[i], count / kept);
    free(g);
    free(b);
    free(to);
    free(expected);
    return agree || mfm_naive_report(draws, "reduce", round, &full);
}

static void test_reduce(void)
{
    mfm_draws draws = mfm_draws_new(13);
    for (int i = 0; i < ROUNDS; i++)
        CU_ASSERT_TRUE(reduce_agrees(&draws, i, 5));
}

static void test_reduce_large(void)
{
    mfm_draws draws = mfm_draws_new(14);
    for (int i = 0; i < 30; i++)
        CU_ASSERT_TRUE(reduce_agrees(&draws, i, 11));
}

/* Sums over random axes of a random view, to a result with its axes in random order. */
static bool view_agrees(mfm_draws *draws, int round)
{
    const mfm_shape shape = mfm_draw_shape(draws, MFM_MAX_RANK, 6);
    mfm_shape kept = shape;
    int64_t g_stride[MFM_MAX_RANK], to_stride[MFM_MAX_RANK], g_first, to_first;
    for (int i = 0; i < shape.rank; i++)
        kept.dim[i] = mfm_draw(draws, 0, 1) ? shape.dim[i] : 1;
    const int64_t g_span = mfm_draw_view(draws, &shape, g_stride, &g_first);
    const int64_t to_span = mfm_draw_view(draws, &kept, to_stride, &to_first);
    for (int i = 0; i < shape.rank; i++)
        to_stride[i] = kept.dim[i] == 1 ? 0 : to_stride[i];
    real *g = drawn(draws, g_span), *to = drawn(draws, to_span);
    double *expected = calloc((size_t)to_span, sizeof *expected);
    CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
    const int64_t count = mfm_shape_count(&shape), sums = mfm_shape_count(&kept);
    for (int64_t i = 0; i < count; i++)
        expected[to_first + mfm_naive_offset(&shape, to_stride, i)] +=
            (double)g[g_first + mfm_naive_offset(&shape, g_stride, i)];
    mfm_reduce(NULL, &shape, g + g_first, g_stride, NULL, NULL, 1, to + to_first, to_stride, false);
    bool agree = true;
    for (int64_t i = 0; i < sums; i++) {
        const int64_t at = to_first + mfm_naive_offset(&kept, to_stride, i);
        agree = agree && mfm_naive_close((double)to[at], expected[at], count / sums);
    }
    free(g);
    free(to);
    free(expected);
    return agree || mfm_naive_report(draws, "reduce view", round, &shape);
}

static void test_reduce_views(void)
{
    mfm_draws draws = mfm_draws_new(15);
    for (int i = 0; i < ROUNDS; i++)
        CU_ASSERT_TRUE(view_agrees(&draws, i));
}

/* A float sum of a million times 0.1 one by one is wrong in the third digit. */
static void test_reduce_accuracy(void)
{
    const mfm_shape full = mfm_shape_of(4, 64, 3, 128, 128), channels = mfm_shape_of(3, 3, 1, 1);
    const mfm_shape scalar = mfm_shape_of(0);
    const int64_t count = mfm_shape_count(&full);
    real *g = malloc((size_t)count * sizeof *g);
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    for (int64_t i = 0; i < count; i++)
        g[i] = (real)0.1;
    real sums[3], sum;
    mfm_broadcast_reduce(NULL, &full, g, NULL, NULL, 1, &channels, sums, false);
    mfm_broadcast_reduce(NULL, &full, g, NULL, NULL, 1, &scalar, &sum, false);
    const double each = (double)(real)0.1 * (double)count / 3;
    CU_ASSERT_DOUBLE_EQUAL((double)sums[0], each, 1e-7 * each);
    CU_ASSERT_DOUBLE_EQUAL((double)sums[2], each, 1e-7 * each);
    CU_ASSERT_DOUBLE_EQUAL((double)sum, 3 * each, 3e-7 * each);
    free(g);
}

static void test_reduce_threads(void)
{
    mfm_draws draws = mfm_draws_new(16);
    const mfm_shape full = mfm_shape_of(4, 16, 5, 31, 33);
    const mfm_shape shapes[] = {mfm_shape_of(3, 5, 1, 1), mfm_shape_of(4, 16, 5, 1, 1),
                                mfm_shape_of(0), mfm_shape_of(4, 16, 1, 31, 33)};
    real *g = drawn(&draws, mfm_shape_count(&full)), *b = drawn(&draws, mfm_shape_count(&full));
    real one[16 * 31 * 33], many[16 * 31 * 33];
    const int threads = omp_get_max_threads();
    for (int i = 0; i < 4; i++) {
        omp_set_num_threads(1);
        mfm_broadcast_reduce(NULL, &full, g, &full, b, 1, &shapes[i], one, false);
        omp_set_num_threads(3);
        mfm_broadcast_reduce(NULL, &full, g, &full, b, 1, &shapes[i], many, false);
        CU_ASSERT_EQUAL(memcmp(one, many, (size_t)mfm_shape_count(&shapes[i]) * sizeof one[0]), 0);
    }
    omp_set_num_threads(threads);
    free(g);
    free(b);
}

static void test_shapes(void)
{
    mfm_shape full;
    const mfm_shape image = mfm_shape_of(4, 2, 3, 4, 5), channels = mfm_shape_of(3, 3, 1, 1);
    CU_ASSERT_TRUE(mfm_broadcast_shape(&image, &channels, &full));
    CU_ASSERT_TRUE(mfm_shape_equal(&full, &image));
    const mfm_shape row = mfm_shape_of(1, 4), column = mfm_shape_of(2, 3, 1);
    const mfm_shape both = mfm_shape_of(2, 3, 4);
    CU_ASSERT_TRUE(mfm_broadcast_shape(&row, &column, &full));
    CU_ASSERT_TRUE(mfm_shape_equal(&full, &both));
    const mfm_shape none = mfm_shape_of(2, 0, 1), scalar = mfm_shape_of(0);
    CU_ASSERT_TRUE(mfm_broadcast_shape(&none, &row, &full));
    CU_ASSERT_EQUAL(mfm_shape_count(&full), 0);
    CU_ASSERT_TRUE(mfm_broadcast_shape(&scalar, &scalar, &full));
    CU_ASSERT_EQUAL(full.rank, 0);
    const mfm_shape vector = mfm_shape_of(1, 3);
    CU_ASSERT_FALSE(mfm_broadcast_shape(&image, &vector, &full));
    CU_ASSERT_FALSE(mfm_broadcast_shape(&none, &both, &full));
}

static void test_no_elements(void)
{
    const mfm_shape none = mfm_shape_of(2, 0, 3), row = mfm_shape_of(1, 3);
    const real x[3] = {1, 2, 3};
    real y[3] = {7, 8, 9};
    mfm_broadcast_binary(MFM_BINARY_ADD, &none, &none, x, &row, x, y, false);
    CU_ASSERT_EQUAL(y[0], 7);
    mfm_broadcast_reduce(NULL, &none, x, NULL, NULL, 1, &row, y, true);
    CU_ASSERT_EQUAL(y[1], 8);
    mfm_broadcast_reduce(NULL, &none, x, NULL, NULL, 1, &row, y, false);
    CU_ASSERT_EQUAL(y[2], 0);
}

/* NULL is zero, for each operation as an operand and for a sum as its terms. */
static void test_null_operands(void)
{
    const mfm_shape full = mfm_shape_of(2, 2, 2), row = mfm_shape_of(1, 2);
    const real x[2] = {3, 5};
    const real plus[4] = {3, 5, 3, 5}, minus[4] = {-3, -5, -3, -5}, zero[4] = {0, 0, 0, 0};
    real y[4];
    mfm_broadcast_binary(MFM_BINARY_ADD, &full, &full, NULL, &row, x, y, false);
    CU_ASSERT_EQUAL(memcmp(y, plus, sizeof y), 0);
    mfm_broadcast_binary(MFM_BINARY_SUB, &full, &row, x, &full, NULL, y, false);
    CU_ASSERT_EQUAL(memcmp(y, plus, sizeof y), 0);
    mfm_broadcast_binary(MFM_BINARY_SUB, &full, &full, NULL, &row, x, y, false);
    CU_ASSERT_EQUAL(memcmp(y, minus, sizeof y), 0);
    mfm_broadcast_binary(MFM_BINARY_MUL, &full, &full, NULL, &row, x, y, true);
    CU_ASSERT_EQUAL(memcmp(y, minus, sizeof y), 0);
    mfm_broadcast_binary(MFM_BINARY_DIV, &full, &full, NULL, &row, x, y, false);
    CU_ASSERT_EQUAL(memcmp(y, zero, sizeof y), 0);
    mfm_broadcast_binary(MFM_BINARY_ADD, &full, &full, NULL, &full, NULL, y, false);
    CU_ASSERT_EQUAL(memcmp(y, zero, sizeof y), 0);
    real sums[2] = {1, 2};
    mfm_broadcast_reduce(NULL, &full, NULL, &row, x, 1, &row, sums, true);
    CU_ASSERT_EQUAL(sums[1], 2);
    mfm_broadcast_reduce(NULL, &full, NULL, &row, x, 1, &row, sums, false);
    CU_ASSERT_EQUAL(sums[1], 0);
}

static void test_in_place(void)
{
    const mfm_shape image = mfm_shape_of(4, 1, 2, 1, 3), channels = mfm_shape_of(3, 2, 1, 1);
    const real factor[2] = {10, -1};
    real y[6] = {1, 2, 3, 4, 5, 6};
    mfm_broadcast_binary(MFM_BINARY_MUL, &image, &image, y, &channels, factor, y, false);
    const real expected[6] = {10, -2, 30, -4, 50, -6};
    CU_ASSERT_EQUAL(memcmp(y, expected, sizeof y), 0);
    mfm_broadcast_binary(MFM_BINARY_ADD, &image, &image, y, &image, NULL, y, false);
    CU_ASSERT_EQUAL(memcmp(y, expected, sizeof y), 0);
    mfm_broadcast_binary(MFM_BINARY_SUB, &image, &image, NULL, &image, y, y, false);
    CU_ASSERT_EQUAL(y[5], 6);
}

/* y = 2 b, y = y + b and the sum of y, all in small whole numbers; stored channels-last, so that
 * element i belongs to channel i % channels. */
static bool channel_rows_agree(int channels)
{
    const mfm_shape image = mfm_shape_of(4, 3, channels, 37, 29);
    const mfm_shape vector = mfm_shape_of(3, channels, 1, 1);
    const int64_t count = mfm_shape_count(&image), rows = count / channels;
    real b[100], sum[100], *y = malloc((size_t)count * sizeof *y);
    CU_ASSERT_PTR_NOT_NULL_FATAL(y);
    for (int c = 0; c < channels; c++)
        b[c] = (real)(c % 7 - 2);
    mfm_broadcast_copy(&image, &vector, b, 2, y, false);
    mfm_broadcast_copy(&image, &vector, b, 1, y, true);
    bool good = true;
    for (int64_t i = 0; i < count; i++) {
        good = good && y[i] == 3 * b[i % channels];
        y[i] += (real)(i / channels % 5);
    }
    mfm_broadcast_reduce(NULL, &image, y, NULL, NULL, 1, &vector, sum, false);
    int64_t extra = 0;
    for (int64_t r = 0; r < rows; r++)
        extra += r % 5;
    for (int c = 0; c < channels; c++)
        good = good && sum[c] == (real)rows * 3 * b[c] + (real)extra;
    free(y);
    return good;
}

static void test_channel_rows(void)
{
    static const int channels[] = {1, 2, 3, 6, 16, 31, 32, 33, 64, 65, 100};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        CU_ASSERT_TRUE(channel_rows_agree(channels[i]));
}

static const mfm_case cases[] = {
    {"common shapes follow numpy's rules", test_shapes},
    {"arithmetic on random operands equals index arithmetic", test_binary},
    {"arithmetic that several threads share equals index arithmetic", test_binary_large},
    {"an operand that is not there is zero", test_null_operands},
    {"a result may take the place of its operand", test_in_place},
    {"sums to random operand shapes equal index arithmetic", test_reduce},
    {"sums that several threads share equal index arithmetic", test_reduce_large},
    {"sums over axes of random views equal index arithmetic", test_reduce_views},
    {"a sum of a million terms keeps the accuracy of its type", test_reduce_accuracy},
    {"the number of threads does not change a bit of a sum", test_reduce_threads},
    {"a number a channel goes to every pixel, and the pixels' sum comes back", test_channel_rows},
    {"shapes without elements are no special case", test_no_elements},
};
MFM_SUITE("core/engine/broadcast", cases)
