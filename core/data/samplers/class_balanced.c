/* q_c = 1 / C: every class is drawn equally often (Kang et al., ICLR 2020, eq. 1 with q = 0). */
#include "core/data/samplers/class_draw.h"

static void shares(const mfm_class_counts *n, double progress, double *share)
{
    (void)progress;
    for (int c = 0; c < n->classes; c++)
        share[c] = 1;
}

static int begin(mfm_ctx *ctx, const mfm_sampling *sampling, const void *values, void **state)
{
    (void)values;
    return mfm_class_draw_begin(ctx, sampling, shares, false, state);
}

const mfm_sampler_kind mfm_sampler_class_balanced = {
    .name = "class-balanced",
    .summary = "every class equally often",
    .rebalances = true,
    .begin = begin,
    .end = mfm_class_draw_end,
    .batch = mfm_class_draw_batch,
};
