/*
 * First-order optimisers on the flat parameter vector of a graph. Frozen parameters are left alone.
 */
#ifndef MFM_OPTIMIZER_H
#define MFM_OPTIMIZER_H

#include "core/engine/graph.h"

enum mfm_optimizer_kind { MFM_SGD, MFM_ADAM };

/* SGD:  d = g + weight_decay w;  m = momentum m + d;  w -= lr m   (no dampening, no Nesterov)
 * Adam: Kingma and Ba 2015, algorithm 1, with L2 regularisation in g; betas 0.9 and 0.999, 1e-8. */
typedef struct mfm_optimizer {
    enum mfm_optimizer_kind kind;
    double momentum, weight_decay;
    const mfm_graph *graph;
    uint64_t steps; /* taken so far: Adam's bias correction */
    real *first;    /* momentum; Adam's first moment; graph->params_size reals */
    real *second;   /* Adam's second moment; NULL for SGD */
} mfm_optimizer;

int mfm_optimizer_init(mfm_ctx *ctx, mfm_optimizer *optimizer, enum mfm_optimizer_kind kind,
                       double momentum, double weight_decay, const mfm_graph *graph);
void mfm_optimizer_clear(mfm_ctx *ctx, mfm_optimizer *optimizer);
/* One step along gradient, scaled by `scale` first (the hypergradient's -alpha). */
void mfm_optimizer_step(mfm_optimizer *optimizer, double lr, double scale, const real *gradient,
                        real *params);

#endif
