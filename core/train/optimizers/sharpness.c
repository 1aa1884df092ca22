#include "core/train/optimizers/sharpness.h"

#include <math.h>
#include <string.h>

#include "core/train/vector.h"

int mfm_sharpness_init(mfm_ctx *ctx, mfm_sharpness *s, double rho, const mfm_graph *graph)
{
    *s = (mfm_sharpness){.rho = rho};
    return rho > 0 ? mfm_vector_new(ctx, NULL, graph->params_size, &s->saved) : MFM_OK;
}

void mfm_sharpness_clear(mfm_ctx *ctx, mfm_sharpness *s)
{
    mfm_free_aligned(ctx, s->saved);
    *s = (mfm_sharpness){.rho = 0};
}

static bool moves(const mfm_value *value)
{
    return value->kind == MFM_VALUE_PARAM && value->trainable;
}

double mfm_sharpness_norm(const mfm_graph *graph, const real *gradient)
{
    double sum = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        const size_t n =
            moves(&graph->values[i]) ? (size_t)mfm_shape_count(&graph->values[i].shape) : 0;
        const real *g = gradient + graph->values[i].offset;
        for (size_t k = 0; k < n; k++)
            sum += (double)g[k] * (double)g[k];
    }
    return sqrt(sum);
}

static void climb(const mfm_sharpness *s, const mfm_graph *graph, const real *gradient, real *w)
{
    const double length = mfm_sharpness_norm(graph, gradient);
    const real scale = (real)(length > 0 ? s->rho / length : 0);
    memcpy(s->saved, w, graph->params_size * sizeof *w);
    for (size_t i = 0; i < graph->n_values; i++) {
        const size_t n =
            moves(&graph->values[i]) ? (size_t)mfm_shape_count(&graph->values[i].shape) : 0;
        const size_t at = graph->values[i].offset;
        for (size_t k = at; k < at + n; k++)
            w[k] += scale * gradient[k];
    }
}

const real *mfm_sharpen(const mfm_sharpness *s, const mfm_graph *graph, const real *gradient,
                        real *w, const real *(*again)(void *self), void *self)
{
    if (!mfm_sharpness_on(s))
        return gradient;
    climb(s, graph, gradient, w);
    const real *there = again(self);
    memcpy(w, s->saved, graph->params_size * sizeof *w);
    return there;
}
