/* d = g + decay w;  m = momentum m + d;  w -= lr (d + momentum m)     (PyTorch's form) */
#include "core/train/optimizers/optimizer.h"

static void step(const mfm_optimizer_slice *s)
{
    const real momentum = (real)((const mfm_momentum_values *)s->values)->momentum;
    const real lr = s->lr, scale = s->scale, decay = s->decay;
    const real *restrict g = s->gradient;
    real *restrict m = s->first, *restrict w = s->params;
    for (size_t i = 0; i < s->n; i++) {
        const real d = scale * g[i] + decay * w[i];
        m[i] = momentum * m[i] + d;
        w[i] -= lr * (d + momentum * m[i]);
    }
}

const mfm_optimizer_kind mfm_optimizer_nesterov = {
    .name = "nesterov",
    .summary = "gradient descent with Nesterov's momentum",
    .settings = {&mfm_momentum_settings},
    .moments = 1,
    .step = step,
};
