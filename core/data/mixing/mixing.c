#include "core/data/mixing/mixing.h"

#include <math.h>
#include <string.h>

#define MFM_MIXING(name) extern const mfm_mixing mfm_mixing_##name;
#include "core/data/mixing/mixing.def"
#include "extra/mixing.def"
#undef MFM_MIXING

#define MFM_MIXING(name) &mfm_mixing_##name,
const mfm_mixing *const mfm_mixings[] = {
#include "core/data/mixing/mixing.def"
#include "extra/mixing.def"
    NULL};
#undef MFM_MIXING

const mfm_mixing *mfm_mixing_find(const char *name)
{
    for (int i = 0; mfm_mixings[i]; i++)
        if (strcmp(mfm_mixings[i]->name, name) == 0)
            return mfm_mixings[i];
    return NULL;
}

enum { GAMMA_DRAWS = 1 << 19 };

/* The logarithm of a Gamma(alpha, 1) draw (Marsaglia and Tsang, ACM TOMS 2000), which stays finite
 * where the draw itself is too small for a double. */
static double log_gamma_draw(const mfm_key *key, uint64_t index, double alpha)
{
    const uint64_t end = index + GAMMA_DRAWS - 2;
    double boost = 0;
    if (alpha < 1) { /* Gamma(alpha) = Gamma(alpha + 1) U^(1 / alpha) */
        boost = log(1 - mfm_random_uniform(key, index++)) / alpha;
        alpha += 1;
    }
    const double d = alpha - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (; index < end; index += 2) { /* accepts more than 19 of 20 */
        const double x = mfm_random_normal(key, index), v = pow(1 + c * x, 3);
        if (v <= 0)
            continue;
        const double u = 1 - mfm_random_uniform(key, index + 1);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + boost;
    }
    return log(d) + boost;
}

double mfm_random_beta(const mfm_key *key, uint64_t index, double alpha)
{
    const double a = log_gamma_draw(key, index, alpha);
    const double b = log_gamma_draw(key, index + GAMMA_DRAWS, alpha);
    return 1 / (1 + exp(b - a));
}

void mfm_mix_images(const mfm_mix *mix, double lambda)
{
    const size_t size = (size_t)(mix->height * mix->width * mix->channels);
    const real own = (real)lambda, rest = (real)(1 - lambda);
    for (int64_t i = 0; i < mix->n; i++) {
        const real *restrict a = mix->before + (size_t)i * size;
        const real *restrict b = mix->before + (size_t)mix->other[i] * size;
        real *restrict to = mix->images + (size_t)i * size;
        for (size_t k = 0; k < size; k++)
            to[k] = own * a[k] + rest * b[k];
    }
}

void mfm_mix_label(const mfm_mix *mix, int64_t i, double share)
{
    real *row = mix->soft_labels + i * mix->classes;
    row[(int64_t)mix->labels[i]] += (real)share;
    row[(int64_t)mix->labels[mix->other[i]]] += (real)(1 - share);
}
