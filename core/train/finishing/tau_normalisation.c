/* Kang et al., ICLR 2020, equation 5: W_c / |W_c|^tau, without a bias. */
#include <math.h>

#include "core/train/finishing/finishing.h"

typedef struct normalisation_values {
    double tau;
} normalisation_values;

static const normalisation_values defaults = {.tau = 1};
static const mfm_option table[] = {{.name = "norm-tau",
                                    .kind = MFM_OPTION_REAL,
                                    .value = "X",
                                    .max = 10,
                                    .offset = offsetof(normalisation_values, tau),
                                    .help = "power of the length of a class's weights, 0 to 1"}};
static const mfm_settings settings = MFM_SETTINGS("tau-normalisation", table, defaults);

static void apply(const mfm_classifier *classifier, const mfm_task *task, const void *values,
                  real *params)
{
    (void)task;
    const double tau = ((const normalisation_values *)values)->tau;
    for (int64_t c = 0; c < classifier->classes; c++) {
        const double norm = mfm_classifier_norm(classifier, params, c);
        if (norm > 0)
            mfm_classifier_scale(classifier, params, c, pow(norm, -tau));
    }
    mfm_classifier_drop_bias(classifier, params);
}

const mfm_finishing mfm_finishing_tau_normalisation = {
    .name = "tau-normalisation",
    .summary = "the classifier's weights divided by a power of their length",
    .settings = {&settings},
    .rebalances = true,
    .apply = apply,
};
