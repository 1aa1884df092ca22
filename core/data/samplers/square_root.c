/* q_c ~ sqrt(n_c) (Mahajan et al., ECCV 2018; Kang et al., ICLR 2020, eq. 1 with q = 1/2). */
#include <math.h>

#include "core/data/samplers/class_draw.h"

static void shares(const mfm_class_counts *n, double progress, double *share)
{
    (void)progress;
    for (int c = 0; c < n->classes; c++)
        share[c] = sqrt(n->count[c]);
}

static int begin(mfm_ctx *ctx, const mfm_sampling *sampling, const void *values, void **state)
{
    (void)values;
    return mfm_class_draw_begin(ctx, sampling, shares, false, state);
}

const mfm_sampler_kind mfm_sampler_square_root = {
    .name = "square-root",
    .summary = "a class by the square root of its images",
    .rebalances = true,
    .begin = begin,
    .end = mfm_class_draw_end,
    .batch = mfm_class_draw_batch,
};
