/*
 * The shapes of a graph's values at one batch size. While a graph grows, each node is inferred
 * once, however often shapes are asked for.
 */
#ifndef MFM_SHAPES_H
#define MFM_SHAPES_H

#include "core/engine/graph.h"

typedef struct mfm_graph_shapes_at {
    int64_t batch;
    bool training; /* as in mfm_plan_spec */
    mfm_shape *of; /* [n_values] */
    size_t n_values, n_nodes, capacity;
} mfm_graph_shapes_at;

/* Those of what was added since the last call; at first all but batch and training is zero. */
int mfm_graph_shapes_grow(const mfm_graph *graph, mfm_graph_shapes_at *shapes);
void mfm_graph_shapes_clear(mfm_ctx *ctx, mfm_graph_shapes_at *shapes);

#endif
