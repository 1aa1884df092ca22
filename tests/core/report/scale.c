#include "core/report/charts/scale.h"

#include <math.h>

#include "tests/suite.h"

static bool has_ticks(const mfm_scale *s, int count, const double *ticks)
{
    bool good = s->n_ticks == count;
    for (int i = 0; i < count && good; i++)
        good = fabs(s->tick[i] - ticks[i]) <= 1e-9 * fmax(1e-300, fabs(ticks[i]));
    for (int i = 0; i < s->n_ticks && !good; i++)
        printf("%s%.10g", i ? " " : "\n    ", s->tick[i]);
    return good;
}
#define HAS_TICKS(s, ...)                                                                          \
    has_ticks(&(s), sizeof((const double[]){__VA_ARGS__}) / sizeof(double),                        \
              (const double[]){__VA_ARGS__})

static void test_linear(void)
{
    mfm_scale s = mfm_scale_linear(0, 2.7, 5);
    CU_ASSERT_TRUE(HAS_TICKS(s, 0, 1, 2, 3) && s.low == 0 && s.high == 3);
    CU_ASSERT_DOUBLE_EQUAL(mfm_scale_at(&s, 1.5), 0.5, 1e-15);
    s = mfm_scale_linear(0, 100, 5);
    CU_ASSERT_TRUE(HAS_TICKS(s, 0, 20, 40, 60, 80, 100));
    s = mfm_scale_linear(11.2, 13.9, 5);
    CU_ASSERT_TRUE(HAS_TICKS(s, 11, 12, 13, 14));
    s = mfm_scale_linear(-0.03, 0.02, 5);
    CU_ASSERT_TRUE(HAS_TICKS(s, -0.03, -0.02, -0.01, 0, 0.01, 0.02));
}

/* From a number to one that is hardly another: in the third digit, whatever their size. */
static void test_hardly_moves(void)
{
    mfm_scale s = mfm_scale_linear(2.30258, 2.30261, 5);
    CU_ASSERT_TRUE(HAS_TICKS(s, 2.3, 2.31));
    s = mfm_scale_linear(89.99999, 90.00001, 5);
    CU_ASSERT_TRUE(HAS_TICKS(s, 89.9, 90, 90.1));
    s = mfm_scale_linear(-4.56781e-9, -4.56780e-9, 5);
    CU_ASSERT_TRUE(HAS_TICKS(s, -4.57e-9, -4.56e-9));
    s = mfm_scale_linear(999.9, 1000.1, 5);
    CU_ASSERT_TRUE(HAS_TICKS(s, 990, 1000, 1010));
}

static void test_degenerate(void)
{
    mfm_scale s = mfm_scale_linear(0, 0, 5);
    CU_ASSERT_TRUE(s.low == 0 && s.high == 1);
    s = mfm_scale_linear(4, 4, 5);
    CU_ASSERT_TRUE(s.low == 0 && s.high == 4);
    s = mfm_scale_linear(-4, -4, 5);
    CU_ASSERT_TRUE(s.low == -4 && s.high == 0);
    s = mfm_scale_counted(9e18, 9.2e18, 10);
    CU_ASSERT_TRUE(s.n_ticks <= MFM_MOST_TICKS);
    const double odd[] = {NAN, INFINITY, -INFINITY, 1.7e308, -1.7e308, 5e-324, 1e-300};
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 7; k++) {
            s = mfm_scale_linear(odd[i], odd[k], 5);
            CU_ASSERT_TRUE(isfinite(s.low) && isfinite(s.high) && s.low < s.high);
            CU_ASSERT_TRUE(s.n_ticks <= MFM_MOST_TICKS);
            const double at = mfm_scale_at(&s, odd[k]);
            CU_ASSERT_TRUE(at >= 0 && at <= 1);
        }
}

static void test_counted(void)
{
    mfm_scale s = mfm_scale_counted(1, 8, 12);
    CU_ASSERT_TRUE(HAS_TICKS(s, 1, 2, 3, 4, 5, 6, 7, 8) && s.low == 1 && s.high == 8);
    s = mfm_scale_counted(1, 100, 10);
    CU_ASSERT_TRUE(HAS_TICKS(s, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100));
    CU_ASSERT_EQUAL(mfm_scale_at(&s, 1), 0);
    s = mfm_scale_counted(3, 3, 10);
    CU_ASSERT_TRUE(HAS_TICKS(s, 3));
    CU_ASSERT_DOUBLE_EQUAL(mfm_scale_at(&s, 3), 0.5, 1e-15);
}

/* 5000 to 5: from 2.5, so the smallest bar is log 2 / log 2000 high. */
static void test_log(void)
{
    mfm_scale s = mfm_scale_log(5, 5000);
    CU_ASSERT_TRUE(HAS_TICKS(s, 10, 100, 1000));
    CU_ASSERT_DOUBLE_EQUAL(mfm_scale_at(&s, 5), log(2) / log(2000), 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(mfm_scale_at(&s, 5000), 1, 1e-12);
    CU_ASSERT_EQUAL(mfm_scale_at(&s, 0), 0);
    s = mfm_scale_log(4, 40);
    CU_ASSERT_TRUE(HAS_TICKS(s, 2, 5, 10, 20));
    s = mfm_scale_log(7, 7);
    CU_ASSERT_DOUBLE_EQUAL(mfm_scale_at(&s, 7), 1, 1e-12);
    CU_ASSERT_TRUE(HAS_TICKS(s, 4, 5, 6, 7));
    s = mfm_scale_log(1, 2);
    CU_ASSERT_TRUE(HAS_TICKS(s, 1, 2));
    s = mfm_scale_log(20, 40);
    CU_ASSERT_TRUE(HAS_TICKS(s, 10, 15, 20, 25, 30, 35, 40));
    s = mfm_scale_log(21, 39);
    CU_ASSERT_TRUE(HAS_TICKS(s, 15, 20, 25, 30, 35));
}

/* Digits are 8 high on the 170 of an axis. */
static void test_ticks_of_log(void)
{
    for (int low = 1; low <= 300; low++)
        for (int high = low; high <= 15 * low; high += 1 + high / 50) {
            const mfm_scale s = mfm_scale_log(low, high);
            bool good = s.n_ticks >= (high >= 5 ? 3 : high >= 2 ? 2 : 1);
            for (int i = 1; i < s.n_ticks; i++) {
                const double here = mfm_scale_at(&s, s.tick[i]);
                good &= 170 * (here - mfm_scale_at(&s, s.tick[i - 1])) > 9;
                good &= s.tick[i] == floor(s.tick[i]);
            }
            CU_ASSERT_TRUE(good);
            if (!good)
                printf("\n    %d to %d: %d ticks", low, high, s.n_ticks);
        }
}

static const mfm_case cases[] = {
    {"linear ticks are round and cover the numbers", test_linear},
    {"what hardly moves has ticks that can be told apart", test_hardly_moves},
    {"a scale has a length, whatever the numbers", test_degenerate},
    {"counted things have whole ticks", test_counted},
    {"a logarithmic scale shows its smallest number", test_log},
    {"its ticks are three at least, and apart", test_ticks_of_log},
};
MFM_SUITE("core/report/scale", cases)
