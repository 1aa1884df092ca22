/* Menon et al., ICLR 2021, equation 9: logits z_c - tau log pi_c, pi_c the share of class c among
 * the training images; here b_c -= tau log pi_c. */
#include "core/train/finishing/finishing.h"
#include "core/train/losses/prior.h"

static const mfm_prior_values defaults = {.tau = 1};
static const mfm_option table[] = {MFM_PRIOR_OPTION("finish-tau")};
static const mfm_settings settings =
    MFM_SETTINGS("Logit adjustment after training", table, defaults);

static void apply(const mfm_classifier *classifier, const mfm_task *task, const void *values,
                  real *params)
{
    const double tau = ((const mfm_prior_values *)values)->tau;
    for (int64_t c = 0; c < classifier->classes; c++) {
        real *b = &params[mfm_classifier_bias_at(classifier, c)];
        *b = (real)((double)*b - mfm_prior(task, tau, c));
    }
}

const mfm_finishing mfm_finishing_logit_adjustment = {
    .name = "logit-adjustment",
    .summary = "less for classes with many images, in the classifier's bias",
    .settings = {&settings},
    .rebalances = true,
    .needs_bias = true,
    .apply = apply,
};
