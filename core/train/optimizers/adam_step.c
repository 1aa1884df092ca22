#include "core/train/optimizers/adam_step.h"

#include <math.h>

void mfm_adam_step(const mfm_optimizer_slice *s, real decay)
{
    const mfm_adam_values *values = s->values;
    const double t = (double)s->steps, beta1 = values->beta1, beta2 = values->beta2;
    const real b1 = (real)beta1, b2 = (real)beta2, scale = s->scale;
    const real c1 = (real)(1 - beta1), c2 = (real)(1 - beta2); /* 1 - b2 in float is 1.3e-5 off */
    const real rate = (real)((double)s->lr / (1 - pow(beta1, t)));
    const real correction = (real)(1 / sqrt(1 - pow(beta2, t)));
    const real *restrict g = s->gradient;
    real *restrict m = s->first, *restrict v = s->second, *restrict w = s->params;
    for (size_t i = 0; i < s->n; i++) {
        const real d = scale * g[i] + decay * w[i];
        m[i] = b1 * m[i] + c1 * d;
        v[i] = b2 * v[i] + c2 * d * d;
        w[i] -= rate * m[i] / ((real)sqrt(v[i]) * correction + (real)values->epsilon);
    }
}
