/* P-values of scipy 1.10: binomtest(min, n, 0.5).pvalue below 25 images, chi2.sf(s, 1) else. */
#include "core/report/mcnemar.h"

#include <math.h>

#include "tests/suite.h"

typedef struct expected {
    uint64_t first, second;
    double statistic, p; /* statistic < 0: exact */
} expected;

static const expected table[] = {
    {0, 0, -1, 1},
    {5, 0, -1, 0.0625},
    {1, 5, -1, 0.21875},
    {7, 7, -1, 1},
    {3, 9, -1, 0.14599609375},
    {12, 12, -1, 1},
    {10, 14, -1, 0.5412561893463135},
    {0, 24, -1, 1.1920928955078125e-07},
    {10, 15, 0.64, 0.4237107971667936},
    {13, 12, 0, 1},
    {40, 40, 0, 1},
    {30, 12, 6.880952380952381, 0.008711912962379598},
    {0, 25, 23.04, 1.5866563039511885e-06},
    {310, 254, 5.363475177304965, 0.02056275817966772},
    {1000, 700, 52.58882352941176, 4.1122275376223423e-13},
};

static void p_values_are_those_of_scipy(void)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const expected *row = &table[i];
        mfm_mcnemar t = {.both_right = 3};
        mfm_mcnemar_test(row->first, row->second, &t);
        CU_ASSERT_EQUAL(t.exact, row->statistic < 0);
        CU_ASSERT(t.exact ? isnan(t.statistic) : fabs(t.statistic - row->statistic) < 1e-9);
        CU_ASSERT(fabs(t.p - row->p) <= 1e-9 * row->p);
        CU_ASSERT_EQUAL(t.both_right, 3);
    }
}

/* Image by image: both, first alone, second alone, neither, undecided beside right. */
static void images_are_counted_in_pairs(void)
{
    static const int ranks[2][7] = {{0, 0, 0, 2, 1, -1, -1}, {0, 1, 3, 0, 1, 0, -1}};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_predictions p[2];
    for (int k = 0; k < 2; k++) {
        CU_ASSERT_EQUAL_FATAL(mfm_predictions_init(ctx, &p[k], 8), MFM_OK);
        for (int i = 0; i < 7; i++)
            mfm_predictions_add(&p[k], &(mfm_outcome){.rank = ranks[k][i]});
    }
    mfm_predictions_add(&p[0], &mfm_outcome_none);
    mfm_predictions_add(&p[1], &(mfm_outcome){.rank = 0});
    const mfm_mcnemar t = mfm_mcnemar_of(&p[0], &p[1]);
    CU_ASSERT_EQUAL(t.both_right, 1);
    CU_ASSERT_EQUAL(t.only_first, 2);
    CU_ASSERT_EQUAL(t.only_second, 2);
    CU_ASSERT_EQUAL(t.both_wrong, 2);
    CU_ASSERT_EQUAL(t.p, 1);
    for (int k = 0; k < 2; k++)
        mfm_predictions_clear(ctx, &p[k]);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"p-values are those of scipy", p_values_are_those_of_scipy},
    {"images are counted in pairs", images_are_counted_in_pairs},
};

MFM_SUITE("core/report/mcnemar", cases)
