/* Figures worked out by hand. */
#include "core/report/predictions.h"

#include <math.h>

#include "tests/suite.h"

static void an_outcome_is_what_the_logits_say(void)
{
    static const real logits[4] = {1, 3, 2, 3};
    const mfm_outcome first = mfm_outcome_of(logits, 4, 1), tied = mfm_outcome_of(logits, 4, 3);
    const mfm_outcome last = mfm_outcome_of(logits, 4, 0);
    const double sum = 2 + exp(-1.0) + exp(-2.0);
    CU_ASSERT_EQUAL(first.predicted, 1);
    CU_ASSERT_EQUAL(first.rank, 0);
    CU_ASSERT_EQUAL(tied.predicted, 1);
    CU_ASSERT_EQUAL(tied.rank, 1); /* the first of equals is predicted */
    CU_ASSERT_EQUAL(last.rank, 3);
    CU_ASSERT_DOUBLE_EQUAL(last.confidence, 1 / sum, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(last.loss, 2 + log(sum), 1e-14);
}

static void what_is_no_number_decides_nothing(void)
{
    const real undecided[3] = {1, (real)NAN, 0}, infinite[3] = {0, (real)INFINITY, 1};
    const mfm_outcome one = mfm_outcome_of(undecided, 3, 0), two = mfm_outcome_of(infinite, 3, 1);
    CU_ASSERT_EQUAL(one.predicted, -1);
    CU_ASSERT_EQUAL(one.rank, -1);
    CU_ASSERT(isnan(one.confidence));
    CU_ASSERT_EQUAL(two.predicted, 1);
    CU_ASSERT_EQUAL(two.rank, 0);
    CU_ASSERT(isnan(two.confidence));
}

static void add(mfm_predictions *p, int rank, double confidence)
{
    mfm_predictions_add(p, &(mfm_outcome){.rank = rank, .confidence = confidence});
}

static void the_top_k_are_those_with_a_rank_below_k(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_predictions p;
    CU_ASSERT_EQUAL_FATAL(mfm_predictions_init(ctx, &p, 6), MFM_OK);
    CU_ASSERT(isnan(mfm_predictions_top(&p, 5)));
    static const int ranks[] = {0, 4, 5, -1, 1};
    for (int i = 0; i < 5; i++)
        add(&p, ranks[i], NAN);
    mfm_predictions_add(&p, &mfm_outcome_none); /* of six, only five were looked at */
    CU_ASSERT_EQUAL(mfm_predictions_top(&p, 1), 20);
    CU_ASSERT_EQUAL(mfm_predictions_top(&p, 5), 60);
    CU_ASSERT_EQUAL(mfm_predictions_top(&p, 6), 80);
    CU_ASSERT(isnan(mfm_predictions_calibration(&p).error));
    mfm_predictions_clear(ctx, &p);
    mfm_ctx_free(ctx);
}

/* Of 5 images: 0.5, wrong, in (7/15, 8/15]; 0.6, right, the upper end of (8/15, 9/15]; 0.61, wrong,
 * in the bin behind it; 1, right, in the last; one without a confidence is left out.
 *     (|0 - 50| + |100 - 60| + |0 - 61| + |100 - 100|) / 4 = 37.75 */
static void calibration_compares_confidence_with_accuracy_in_bins(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_predictions p;
    CU_ASSERT_EQUAL_FATAL(mfm_predictions_init(ctx, &p, 6), MFM_OK);
    add(&p, 0, 0.6);
    add(&p, 2, 0.5);
    add(&p, 1, 0.61);
    add(&p, 0, 1);
    add(&p, -1, NAN);
    mfm_predictions_add(&p, &mfm_outcome_none);
    const mfm_calibration c = mfm_predictions_calibration(&p);
    CU_ASSERT_EQUAL(c.counted, 4);
    CU_ASSERT_EQUAL(c.images[7], 1);
    CU_ASSERT_EQUAL(c.images[8], 1);
    CU_ASSERT_EQUAL(c.images[9], 1);
    CU_ASSERT_EQUAL(c.images[14], 1);
    CU_ASSERT_EQUAL(c.accuracy[8], 100);
    CU_ASSERT_DOUBLE_EQUAL(c.confidence[9], 61, 1e-12);
    CU_ASSERT(isnan(c.accuracy[0]) && isnan(c.confidence[0]));
    CU_ASSERT_DOUBLE_EQUAL(c.error, 37.75, 1e-12);
    mfm_predictions_clear(ctx, &p);
    mfm_ctx_free(ctx);
}

/* Three images of one bin, two right: |200 / 3 - 95| with confidences 0.94, 0.95, 0.96. */
static void images_of_a_bin_are_taken_together(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_predictions p;
    CU_ASSERT_EQUAL_FATAL(mfm_predictions_init(ctx, &p, 3), MFM_OK);
    add(&p, 0, 0.94);
    add(&p, 0, 0.95);
    add(&p, 3, 0.96);
    const mfm_calibration c = mfm_predictions_calibration(&p);
    CU_ASSERT_EQUAL(c.images[14], 3);
    CU_ASSERT_DOUBLE_EQUAL(c.error, 95 - 200 / 3.0, 1e-12);
    mfm_predictions_clear(ctx, &p);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"an outcome is what the logits say", an_outcome_is_what_the_logits_say},
    {"what is no number decides nothing", what_is_no_number_decides_nothing},
    {"the top k are those with a rank below k", the_top_k_are_those_with_a_rank_below_k},
    {"calibration compares confidence with accuracy in bins",
     calibration_compares_confidence_with_accuracy_in_bins},
    {"images of a bin are taken together", images_of_a_bin_are_taken_together},
};

MFM_SUITE("core/report/predictions", cases)
