#include "core/train/optimizer.h"

#include <math.h>

#include "core/train/vector.h"

static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

int mfm_optimizer_init(mfm_ctx *ctx, mfm_optimizer *optimizer, enum mfm_optimizer_kind kind,
                       double momentum, double weight_decay, const mfm_graph *graph)
{
    *optimizer = (mfm_optimizer){
        .kind = kind, .momentum = momentum, .weight_decay = weight_decay, .graph = graph};
    int status = mfm_vector_new(ctx, NULL, graph->params_size, &optimizer->first);
    if (!status && kind == MFM_ADAM)
        status = mfm_vector_new(ctx, NULL, graph->params_size, &optimizer->second);
    if (status)
        mfm_optimizer_clear(ctx, optimizer);
    return status;
}

void mfm_optimizer_clear(mfm_ctx *ctx, mfm_optimizer *optimizer)
{
    mfm_free_aligned(ctx, optimizer->first);
    mfm_free_aligned(ctx, optimizer->second);
    *optimizer = (mfm_optimizer){0};
}

static void sgd(const mfm_optimizer *o, real lr, real scale, size_t n, const real *restrict g,
                real *restrict m, real *restrict w)
{
    const real momentum = (real)o->momentum, decay = (real)o->weight_decay;
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] + (scale * g[i] + decay * w[i]);
        w[i] -= lr * m[i];
    }
}

static void adam(const mfm_optimizer *o, real lr, real scale, size_t n, const real *restrict g,
                 real *restrict m, real *restrict v, real *restrict w)
{
    const double t = (double)o->steps;
    const real b1 = (real)beta1, b2 = (real)beta2, decay = (real)o->weight_decay;
    const real c1 = (real)(1 - beta1), c2 = (real)(1 - beta2); /* 1 - b2 in float is 1.3e-5 off */
    const real step = (real)((double)lr / (1 - pow(beta1, t)));
    const real correction = (real)(1 / sqrt(1 - pow(beta2, t)));
    for (size_t i = 0; i < n; i++) {
        const real d = scale * g[i] + decay * w[i];
        m[i] = b1 * m[i] + c1 * d;
        v[i] = b2 * v[i] + c2 * d * d;
        w[i] -= step * m[i] / ((real)sqrt(v[i]) * correction + (real)epsilon);
    }
}

void mfm_optimizer_step(mfm_optimizer *o, double lr, double scale, const real *gradient,
                        real *params)
{
    o->steps++;
    for (size_t i = 0; i < o->graph->n_values; i++) {
        const mfm_value *value = &o->graph->values[i];
        if (value->kind != MFM_VALUE_PARAM || !value->trainable)
            continue;
        const size_t n = (size_t)mfm_shape_count(&value->shape), at = value->offset;
        if (o->kind == MFM_SGD)
            sgd(o, (real)lr, (real)scale, n, gradient + at, o->first + at, params + at);
        else
            adam(o, (real)lr, (real)scale, n, gradient + at, o->first + at, o->second + at,
                 params + at);
    }
}
