/*
 * Chou et al., "Remix: Rebalanced Mixup", ECCV 2020 workshops: images as in mixup; the label goes
 * to the rarer class alone when one class has kappa times the images of the other and the rarer
 * one's share of the image is at least 1 - tau. With n_i, n_j training images, equation 8:
 *     lambda_y = 0        n_i / n_j >= kappa    and  lambda     < tau
 *                1        n_i / n_j <= 1 / kappa and  1 - lambda < tau
 *                lambda   otherwise.
 */
#include "core/data/mixing/mixing.h"

typedef struct remix_values {
    double alpha, kappa, tau;
} remix_values;

static const remix_values defaults = {.alpha = 1, .kappa = 3, .tau = 0.5};
static const mfm_option table[] = {
    {.name = "remix-alpha",
     .kind = MFM_OPTION_REAL,
     .value = "A",
     .min = 1e-3,
     .max = 1e3,
     .offset = offsetof(remix_values, alpha),
     .help = "proportions are drawn from Beta(A, A)"},
    {.name = "remix-kappa",
     .kind = MFM_OPTION_REAL,
     .value = "K",
     .min = 1,
     .max = 1e9,
     .offset = offsetof(remix_values, kappa),
     .help = "how many times as many images as the rarer class the other must have"},
    {.name = "remix-tau",
     .kind = MFM_OPTION_REAL,
     .value = "T",
     .max = 1,
     .offset = offsetof(remix_values, tau),
     .help = "the label is the rarer class's where the other's share of the image is smaller"},
};
static const mfm_settings settings = MFM_SETTINGS("Mixing by Remix", table, defaults);

static double share(const mfm_mix *m, int64_t i, double lambda, const remix_values *v)
{
    const double own = m->counts[(int64_t)m->labels[i]];
    const double other = m->counts[(int64_t)m->labels[m->other[i]]];
    if (own >= v->kappa * other && lambda < v->tau)
        return 0;
    if (v->kappa * own <= other && 1 - lambda < v->tau)
        return 1;
    return lambda;
}

static void mix(const mfm_mix *m, const void *values)
{
    const remix_values *v = values;
    const double lambda = mfm_random_beta(&m->key, 0, v->alpha);
    mfm_mix_images(m, lambda);
    for (int64_t i = 0; i < m->n; i++)
        mfm_mix_label(m, i, share(m, i, lambda, v));
}

const mfm_mixing mfm_mixing_remix = {
    .name = "remix",
    .summary = "as mixup, with labels in favour of the rarer class",
    .settings = {&settings},
    .mix = mix,
};
