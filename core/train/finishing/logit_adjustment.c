/* Menon et al., ICLR 2021, equation 9: logits z_c - tau log pi_c, pi_c the share of class c among
 * the training images; here b_c -= tau log pi_c. */
#include <math.h>

#include "core/train/finishing/finishing.h"

typedef struct adjustment_values {
    double tau;
} adjustment_values;

static const adjustment_values defaults = {.tau = 1};
static const mfm_option table[] = {{.name = "finish-tau",
                                    .kind = MFM_OPTION_REAL,
                                    .value = "X",
                                    .min = -100,
                                    .max = 100,
                                    .offset = offsetof(adjustment_values, tau),
                                    .help = "factor of the logarithm of a class's share"}};
static const mfm_settings settings =
    MFM_SETTINGS("Logit adjustment after training", table, defaults);

static void apply(const mfm_classifier *classifier, const mfm_task *task, const void *values,
                  real *params)
{
    const double tau = ((const adjustment_values *)values)->tau;
    for (int64_t c = 0; c < classifier->classes; c++) {
        real *b = &params[mfm_classifier_bias_at(classifier, c)];
        *b = (real)((double)*b - tau * log(mfm_task_count(task, c) / task->samples));
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
