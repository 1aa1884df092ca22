/* Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, equation 10: cross-entropy of
 * z_c + tau log pi_c, pi_c the share of class c among the training images. */
#include "core/train/losses/cross_entropy.h"
#include "core/train/losses/prior.h"

static const mfm_prior_values defaults = {.tau = 1};
static const mfm_option table[] = {MFM_PRIOR_OPTION("tau")};
static const mfm_settings settings = MFM_SETTINGS("Logit adjustment", table, defaults);

static int adjust(const mfm_loss_site *site, int *adjusted)
{
    const mfm_prior_values *v = mfm_values_of(site->chosen, &settings);
    return mfm_adjust_by_prior(site, v->tau, adjusted);
}

const mfm_loss mfm_loss_logit_adjustment = {
    .name = "logit-adjustment",
    .summary = "cross-entropy of logits + tau log of the class's share",
    .settings = {&settings},
    .rebalances = true,
    .counts = true,
    .adjust = adjust,
    .build = mfm_cross_entropy_build,
};
