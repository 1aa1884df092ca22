/* d = g + decay w;  m = momentum m + d;  w -= lr m     (no dampening) */
#include "core/train/optimizers/optimizer.h"

static void step(const mfm_optimizer_slice *s)
{
    const real momentum = (real)((const mfm_momentum_values *)s->values)->momentum;
    const real lr = s->lr, scale = s->scale, decay = s->decay;
    const real *restrict g = s->gradient;
    real *restrict m = s->first, *restrict w = s->params;
    for (size_t i = 0; i < s->n; i++) {
        m[i] = momentum * m[i] + (scale * g[i] + decay * w[i]);
        w[i] -= lr * m[i];
    }
}

const mfm_optimizer_kind mfm_optimizer_sgd = {
    .name = "sgd",
    .summary = "gradient descent with momentum",
    .settings = {&mfm_momentum_settings},
    .moments = 1,
    .step = step,
};
