/* q_c = (1 - t) n_c / N + t / C with t from 0 in the first epoch to 1 in the last (Kang et al.,
 * ICLR 2020, eq. 2). */
#include "core/data/samplers/class_draw.h"

static void shares(const mfm_class_counts *n, double progress, double *share)
{
    for (int c = 0; c < n->classes; c++)
        share[c] = (1 - progress) * n->count[c] / n->total + progress / n->present;
}

static int begin(mfm_ctx *ctx, const mfm_sampling *sampling, const void *values, void **state)
{
    (void)values;
    return mfm_class_draw_begin(ctx, sampling, shares, true, state);
}

const mfm_sampler_kind mfm_sampler_progressive = {
    .name = "progressive",
    .summary = "from every image to every class equally often, over the epochs",
    .rebalances = true,
    .needs_end = true,
    .begin = begin,
    .end = mfm_class_draw_end,
    .batch = mfm_class_draw_batch,
};
