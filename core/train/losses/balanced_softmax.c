/* Ren et al., "Balanced Meta-Softmax", NeurIPS 2020, equation 4: cross-entropy of z_c + log n_c,
 * which is logit adjustment with tau 1. */
#include "core/train/losses/cross_entropy.h"

static int adjust(const mfm_loss_site *site, int *adjusted)
{
    return mfm_adjust_by_prior(site, 1, adjusted);
}

const mfm_loss mfm_loss_balanced_softmax = {
    .name = "balanced-softmax",
    .summary = "cross-entropy of logits + log n_c",
    .rebalances = true,
    .counts = true,
    .adjust = adjust,
    .build = mfm_cross_entropy_build,
};
