/* q_c ~ n_max / n_c: the rarest class is drawn most (Zhou et al., BBN, CVPR 2020, section 4.2). */
#include "core/data/samplers/class_draw.h"

static void shares(const mfm_class_counts *n, double progress, double *share)
{
    (void)progress;
    for (int c = 0; c < n->classes; c++)
        share[c] = n->count[c] ? n->largest / n->count[c] : 0;
}

static int begin(mfm_ctx *ctx, const mfm_sampling *sampling, const void *values, void **state)
{
    (void)values;
    return mfm_class_draw_begin(ctx, sampling, shares, false, state);
}

const mfm_sampler_kind mfm_sampler_reversed = {
    .name = "reversed",
    .summary = "a class by the inverse of its images",
    .rebalances = true,
    .begin = begin,
    .end = mfm_class_draw_end,
    .batch = mfm_class_draw_batch,
};
