/* Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018:
 *     x = lambda x_i + (1 - lambda) x_j,    y likewise,    lambda ~ Beta(alpha, alpha). */
#include "core/data/mixing/mixing.h"

typedef struct mixup_values {
    double alpha;
} mixup_values;

static const mixup_values defaults = {.alpha = 1};
static const mfm_option table[] = {{.name = "mixup-alpha",
                                    .kind = MFM_OPTION_REAL,
                                    .value = "A",
                                    .min = 1e-3,
                                    .max = 1e3,
                                    .offset = offsetof(mixup_values, alpha),
                                    .help = "proportions are drawn from Beta(A, A)"}};
static const mfm_settings settings = MFM_SETTINGS("Mixing by mixup", table, defaults);

static void mix(const mfm_mix *m, const void *values)
{
    const double lambda = mfm_random_beta(&m->key, 0, ((const mixup_values *)values)->alpha);
    mfm_mix_images(m, lambda);
    for (int64_t i = 0; i < m->n; i++)
        mfm_mix_label(m, i, lambda);
}

const mfm_mixing mfm_mixing_mixup = {
    .name = "mixup",
    .summary = "images and labels in one random proportion",
    .settings = {&settings},
    .mix = mix,
};
