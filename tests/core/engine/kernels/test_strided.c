#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../../suite.h"
#include "core/engine/kernels/nest.h"
#include "core/engine/kernels/strided.h"
#include "../support/naive.h"

enum { ROUNDS = 300 };

static real *reals(int64_t count)
{
    real *made = malloc((size_t)count * sizeof *made);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    return made;
}

/* A random copy of a random shape: every element of the view right, every other one untouched. */
static bool copy_agrees(mfm_draws *draws, int round, int max_rank, int longest)
{
    const mfm_shape shape = mfm_draw_shape(draws, max_rank, longest);
    int64_t from_stride[MFM_MAX_RANK], to_stride[MFM_MAX_RANK], from_first, to_first;
    const int64_t from_span = mfm_draw_view(draws, &shape, from_stride, &from_first);
    const int64_t to_span = mfm_draw_view(draws, &shape, to_stride, &to_first);
    for (int i = 0; i < shape.rank; i++)
        if (mfm_draw(draws, 0, 4) == 0) {
            from_first += from_stride[i] < 0 ? (shape.dim[i] - 1) * from_stride[i] : 0;
            from_stride[i] = 0;
        }
    const real scale = mfm_draw(draws, 0, 1) ? 1 : (real)-0.5;
    const bool add = mfm_draw(draws, 0, 1);
    real *from = reals(from_span), *to = reals(to_span), *expected = reals(to_span);
    mfm_draw_reals(draws, from, from_span);
    mfm_draw_reals(draws, to, to_span);
    memcpy(expected, to, (size_t)to_span * sizeof *to);
    for (int64_t i = 0; i < mfm_shape_count(&shape); i++) {
        real *element = expected + to_first + mfm_naive_offset(&shape, to_stride, i);
        const real value = scale * from[from_first + mfm_naive_offset(&shape, from_stride, i)];
        *element = add ? *element + value : value;
    }
    mfm_strided_copy(&shape, from + from_first, from_stride, scale, to + to_first, to_stride, add);
    bool agree = true;
    for (int64_t i = 0; i < to_span; i++)
        agree = agree && mfm_naive_close((double)to[i], (double)expected[i], 1);
    free(from);
    free(to);
    free(expected);
    return agree || mfm_naive_report(draws, "copy", round, &shape);
}

static void test_copy(void)
{
    mfm_draws draws = mfm_draws_new(1);
    for (int i = 0; i < ROUNDS; i++)
        CU_ASSERT_TRUE(copy_agrees(&draws, i, MFM_MAX_RANK, 5));
}

static void test_copy_large(void)
{
    mfm_draws draws = mfm_draws_new(2);
    for (int i = 0; i < 30; i++)
        CU_ASSERT_TRUE(copy_agrees(&draws, i, MFM_MAX_RANK, 11));
}

/* Axes longer than a vector, in any order: those that are transposed go by blocks. */
static void test_copy_of_long_axes(void)
{
    mfm_draws draws = mfm_draws_new(5);
    for (int i = 0; i < ROUNDS; i++)
        CU_ASSERT_TRUE(copy_agrees(&draws, i, 3, 70));
}

static void test_copy_of_nothing(void)
{
    const mfm_shape shape = mfm_shape_of(2, 2, 2);
    const int64_t stride[] = {4, 2};
    real to[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    mfm_strided_copy(&shape, NULL, NULL, 1, to, stride, true);
    CU_ASSERT_EQUAL(to[0], 1);
    mfm_strided_copy(&shape, NULL, NULL, 1, to, stride, false);
    const real expected[8] = {0, 2, 0, 4, 0, 6, 0, 8};
    CU_ASSERT_EQUAL(memcmp(to, expected, sizeof to), 0);
    mfm_strided_fill(&shape, 9, to + 1, stride);
    const real filled[8] = {0, 9, 0, 9, 0, 9, 0, 9};
    CU_ASSERT_EQUAL(memcmp(to, filled, sizeof to), 0);
}

static void test_copy_of_no_elements(void)
{
    const mfm_shape shape = mfm_shape_of(3, 2, 0, 3);
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(&shape, stride);
    real from[1] = {1}, to[1] = {7};
    mfm_strided_copy(&shape, from, stride, 1, to, stride, false);
    mfm_strided_fill(&shape, 3, to, stride);
    mfm_reshape_copy(&shape, from, &shape, to, false);
    CU_ASSERT_EQUAL(to[0], 7);
}

/* Row-major data laid out for both shapes: the reshape leads from one to the other. */
static bool reshape_agrees(mfm_draws *draws, int round, const mfm_shape *a, const mfm_shape *b)
{
    const int64_t count = mfm_shape_count(a);
    const bool add = mfm_draw(draws, 0, 1);
    real *plain = reals(count), *from = reals(count), *to = reals(count), *expected = reals(count);
    mfm_draw_reals(draws, plain, count);
    mfm_layout_to_engine(a, plain, from);
    mfm_layout_to_engine(b, plain, expected);
    for (int64_t i = 0; i < count; i++) {
        to[i] = add ? (real)(i % 7) : (real)NAN;
        expected[i] += add ? (real)(i % 7) : 0;
    }
    mfm_reshape_copy(a, from, b, to, add);
    bool agree = true;
    for (int64_t i = 0; i < count; i++)
        agree = agree && mfm_naive_close((double)to[i], (double)expected[i], 1);
    free(plain);
    free(from);
    free(to);
    free(expected);
    return agree || mfm_naive_report(draws, "reshape", round, a);
}

/* Another shape with as many elements: prime factors dealt to random axes. */
static mfm_shape draw_reshape(mfm_draws *draws, int64_t count)
{
    mfm_shape shape = {.rank = (int)mfm_draw(draws, 1, MFM_MAX_RANK)};
    if (mfm_draw(draws, 0, 1))
        shape.rank = 4;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = 1;
    for (int64_t p = 2; count > 1; p++)
        for (; count % p == 0; count /= p)
            shape.dim[mfm_draw(draws, 0, shape.rank - 1)] *= p;
    return shape;
}

static void test_reshape(void)
{
    mfm_draws draws = mfm_draws_new(3);
    for (int i = 0; i < ROUNDS; i++) {
        const mfm_shape seed = mfm_draw_shape(&draws, 4, 9);
        const mfm_shape a = draw_reshape(&draws, mfm_shape_count(&seed));
        const mfm_shape b = draw_reshape(&draws, mfm_shape_count(&seed));
        CU_ASSERT_TRUE(reshape_agrees(&draws, i, &a, &b));
    }
}

static void test_reshape_without_common_axes(void)
{
    mfm_draws draws = mfm_draws_new(4);
    const mfm_shape a = mfm_shape_of(4, 2, 4, 6, 1), b = mfm_shape_of(4, 2, 6, 4, 1);
    CU_ASSERT_TRUE(reshape_agrees(&draws, 0, &a, &b));
    const mfm_shape c = mfm_shape_of(4, 2, 160, 243, 1), d = mfm_shape_of(4, 2, 243, 160, 1);
    CU_ASSERT_TRUE(reshape_agrees(&draws, 1, &c, &d));
}

static void test_reshape_in_storage_order(void)
{
    const mfm_shape image = mfm_shape_of(4, 1, 2, 1, 3), flat = mfm_shape_of(2, 1, 6);
    const real stored[6] = {1, 10, 2, 20, 3, 30}; /* pixels of two channels */
    real to[6];
    mfm_reshape_copy(&image, stored, &flat, to, false);
    const real expected[6] = {1, 2, 3, 10, 20, 30};
    CU_ASSERT_EQUAL(memcmp(to, expected, sizeof to), 0);
    mfm_reshape_copy(&image, NULL, &flat, to, true);
    CU_ASSERT_EQUAL(memcmp(to, expected, sizeof to), 0);
    mfm_reshape_copy(&image, NULL, &flat, to, false);
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(to[i], 0);
}

static void test_collapse(void)
{
    mfm_nest nest = {0};
    mfm_nest_push(&nest, 2, 60, 60, 0);
    mfm_nest_push(&nest, 3, 1, 1, 0);
    mfm_nest_push(&nest, 1, 5, 9, 0);
    mfm_nest_push(&nest, 4, 15, 15, 0);
    mfm_nest_push(&nest, 5, 3, 3, 0);
    mfm_nest_collapse(&nest, 0);
    CU_ASSERT_EQUAL(nest.rank, 2); /* a unit in front of one long axis */
    CU_ASSERT_EQUAL(nest.axis[0].dim, 1);
    CU_ASSERT_EQUAL(nest.axis[1].dim, 120);
    CU_ASSERT_EQUAL(nest.axis[1].stride[1], 1);
    mfm_nest broadcast = {0};
    mfm_nest_push(&broadcast, 2, 12, 3, 0);
    mfm_nest_push(&broadcast, 4, 3, 0, 0);
    mfm_nest_push(&broadcast, 3, 1, 1, 0);
    mfm_nest_collapse(&broadcast, 0);
    CU_ASSERT_EQUAL(broadcast.rank, 3); /* operand 1 stands still along the middle axis */
}

/* Each element of a nest lies in exactly one tile. */
static void test_tiles(void)
{
    mfm_nest nest = {0};
    mfm_nest_push(&nest, 3, 20001 * 7, 0, 0);
    mfm_nest_push(&nest, 7, 20001, 0, 0);
    mfm_nest_push(&nest, 20001, 1, 0, 0);
    const int64_t count = mfm_nest_count(&nest);
    const mfm_tiling tiling = mfm_nest_tiling(&nest);
    unsigned char *seen = calloc((size_t)count, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    for (int64_t t = 0; t < tiling.count; t++) {
        const mfm_tile tile = mfm_nest_tile(&nest, &tiling, t);
        for (int64_t r = 0; r < tile.rows; r++)
            for (int64_t c = 0; c < tile.columns; c++)
                seen[tile.offset[0] + r * 20001 + c]++;
    }
    int64_t once = 0;
    for (int64_t i = 0; i < count; i++)
        once += seen[i] == 1;
    CU_ASSERT_EQUAL(once, count);
    free(seen);
}

static const mfm_case cases[] = {
    {"a copy between random views equals index arithmetic", test_copy},
    {"a copy that several threads share equals index arithmetic", test_copy_large},
    {"a copy along axes longer than a vector equals index arithmetic", test_copy_of_long_axes},
    {"a source that is not there is zero", test_copy_of_nothing},
    {"nothing is written where there are no elements", test_copy_of_no_elements},
    {"a reshape keeps the row-major order of random shapes", test_reshape},
    {"a reshape works where no common axes exist", test_reshape_without_common_axes},
    {"flattening an image takes channel after channel", test_reshape_in_storage_order},
    {"axes that lie one behind the other become one", test_collapse},
    {"tiles cover every element exactly once", test_tiles},
};
MFM_SUITE("core/engine/strided", cases)
