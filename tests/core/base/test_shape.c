#include <limits.h>
#include <string.h>

#include "../../suite.h"
#include "core/base/shape.h"

static void test_count(void)
{
    const mfm_shape scalar = mfm_shape_of(0), image = mfm_shape_of(4, 2, 3, 4, 5),
                    none = mfm_shape_of(2, 7, 0);
    CU_ASSERT_EQUAL(mfm_shape_count(&scalar), 1);
    CU_ASSERT_EQUAL(mfm_shape_count(&image), 120);
    CU_ASSERT_EQUAL(mfm_shape_count(&none), 0);
    const mfm_shape matrix = mfm_shape_of(2, 2, 3), column = mfm_shape_of(3, 2, 3, 1);
    CU_ASSERT_TRUE(mfm_shape_equal(&matrix, &matrix));
    CU_ASSERT_FALSE(mfm_shape_equal(&matrix, &column));
    CU_ASSERT_FALSE(mfm_shape_equal(&matrix, &none));
    CU_ASSERT_TRUE(mfm_shape_equal(&scalar, &scalar));
}

static void test_check(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    const mfm_shape good = mfm_shape_of(6, 1, 2, 3, 4, 5, 6), none = mfm_shape_of(1, 0);
    CU_ASSERT_EQUAL(mfm_shape_check(ctx, &good, "x"), MFM_OK);
    CU_ASSERT_EQUAL(mfm_shape_check(ctx, &none, "x"), MFM_OK);
    const mfm_shape negative = mfm_shape_of(2, 3, -1);
    CU_ASSERT_EQUAL(mfm_shape_check(ctx, &negative, "x"), MFM_EDATA);
    CU_ASSERT_STRING_EQUAL(mfm_message(ctx), "x: dimension 1 is -1: must not be negative");
    const mfm_shape deep = {.rank = 7}, below = {.rank = -1};
    CU_ASSERT_EQUAL(mfm_shape_check(ctx, &deep, "x"), MFM_ENOTSUP);
    CU_ASSERT_EQUAL(mfm_shape_check(ctx, &below, "x"), MFM_ENOTSUP);
    const mfm_shape huge = {.rank = 2, .dim = {INT64_MAX, 2}};
    const mfm_shape many = {.rank = 3, .dim = {INT_MAX, INT_MAX, INT_MAX}};
    CU_ASSERT_EQUAL(mfm_shape_check(ctx, &huge, "x"), MFM_EDATA);
    CU_ASSERT_EQUAL(mfm_shape_check(ctx, &many, "x"), MFM_EDATA);
    mfm_ctx_free(ctx);
}

/* Without elements, and yet the strides of the other axes must not overflow: [0, 2^40, 2^40]. */
static void test_check_beside_nothing(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    const int64_t large = (int64_t)1 << 40;
    for (int nothing = 0; nothing < 3; nothing++) {
        mfm_shape shape = {.rank = 3, .dim = {large, large, large}};
        shape.dim[nothing] = 0;
        CU_ASSERT_EQUAL(mfm_shape_check(ctx, &shape, "x"), MFM_EDATA);
        shape.dim[(nothing + 1) % 3] = 1 << 8;
        CU_ASSERT_EQUAL(mfm_shape_check(ctx, &shape, "x"), MFM_OK);
    }
    mfm_ctx_free(ctx);
}

static void test_saturation(void)
{
    const int64_t large = (int64_t)1 << 40;
    CU_ASSERT_EQUAL(mfm_count_times(large, 1 << 22), (int64_t)1 << 62);
    CU_ASSERT_EQUAL(mfm_count_times(large, 1 << 23), INT64_MAX);
    CU_ASSERT_EQUAL(mfm_count_times(0, INT64_MAX), 0);
    CU_ASSERT_EQUAL(mfm_count_sum(INT64_MAX - 1, 1), INT64_MAX);
    CU_ASSERT_EQUAL(mfm_count_sum(INT64_MAX, INT64_MAX), INT64_MAX);
}

static void expect_strides(mfm_shape shape, const int64_t *expected)
{
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(&shape, stride);
    for (int i = 0; i < shape.rank; i++)
        CU_ASSERT_EQUAL(stride[i], expected[i]);
}

static void test_strides(void)
{
    expect_strides(mfm_shape_of(1, 7), (int64_t[]){1});
    expect_strides(mfm_shape_of(2, 2, 3), (int64_t[]){3, 1});
    expect_strides(mfm_shape_of(3, 2, 3, 4), (int64_t[]){12, 4, 1});
    /* [2,3,4,5] lies as 2,4,5,3 */
    expect_strides(mfm_shape_of(4, 2, 3, 4, 5), (int64_t[]){60, 1, 15, 3});
    expect_strides(mfm_shape_of(5, 2, 3, 4, 5, 6), (int64_t[]){360, 120, 30, 6, 1});
    int order[MFM_MAX_RANK];
    mfm_shape_order(&(mfm_shape){.rank = 4}, order);
    CU_ASSERT_TRUE(order[0] == 0 && order[1] == 2 && order[2] == 3 && order[3] == 1);
    mfm_shape_order(&(mfm_shape){.rank = 3}, order);
    CU_ASSERT_TRUE(order[0] == 0 && order[1] == 1 && order[2] == 2);
}

/* Two images of two channels, 1 x 3: channel planes become pixel by pixel. */
static void test_layout(void)
{
    const mfm_shape shape = mfm_shape_of(4, 2, 2, 1, 3);
    const real plain[12] = {0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112};
    const real last[12] = {0, 10, 1, 11, 2, 12, 100, 110, 101, 111, 102, 112};
    real there[12], back[12];
    mfm_layout_to_engine(&shape, plain, there);
    CU_ASSERT_EQUAL(memcmp(there, last, sizeof last), 0);
    mfm_layout_to_row_major(&shape, there, back);
    CU_ASSERT_EQUAL(memcmp(back, plain, sizeof plain), 0);
    const mfm_shape cube = mfm_shape_of(3, 2, 2, 3);
    mfm_layout_to_engine(&cube, plain, there);
    CU_ASSERT_EQUAL(memcmp(there, plain, sizeof plain), 0);
}

/* The element at logical (n, c, h, w) is at the sum of index times stride. */
static void test_layout_follows_strides(void)
{
    const mfm_shape shape = mfm_shape_of(4, 2, 3, 4, 5);
    real plain[120], stored[120];
    int64_t stride[MFM_MAX_RANK];
    for (int i = 0; i < 120; i++)
        plain[i] = (real)i;
    mfm_layout_to_engine(&shape, plain, stored);
    mfm_shape_strides(&shape, stride);
    int i = 0;
    for (int64_t n = 0; n < 2; n++)
        for (int64_t c = 0; c < 3; c++)
            for (int64_t h = 0; h < 4; h++)
                for (int64_t w = 0; w < 5; w++, i++)
                    CU_ASSERT_EQUAL(
                        stored[n * stride[0] + c * stride[1] + h * stride[2] + w * stride[3]],
                        (real)i);
}

static void test_text(void)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape image = mfm_shape_of(4, 2, 3, 32, 32), scalar = mfm_shape_of(0);
    CU_ASSERT_STRING_EQUAL(mfm_shape_text(&image, text), "[2,3,32,32]");
    CU_ASSERT_STRING_EQUAL(mfm_shape_text(&scalar, text), "[]");
    const mfm_shape wide = {
        .rank = 6, .dim = {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN}};
    CU_ASSERT_TRUE(strlen(mfm_shape_text(&wide, text)) < MFM_SHAPE_TEXT);
}

static const mfm_case cases[] = {
    {"a shape counts its elements and equals itself alone", test_count},
    {"shapes that cannot be stored are refused", test_check},
    {"axes beside an empty one are checked too", test_check_beside_nothing},
    {"counts stop at the largest number", test_saturation},
    {"rank 4 lies channels-last, every other rank row-major", test_strides},
    {"images change between planes and pixels, and back", test_layout},
    {"storage and strides agree", test_layout_follows_strides},
    {"a shape prints as it is written, and never beyond its text", test_text},
};
MFM_SUITE("core/engine/shape", cases)
