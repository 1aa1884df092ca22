/*
 * A graph at one batch size: every shape known, every operator's kernel made, no buffers yet.
 */
#ifndef MFM_INSTANCE_H
#define MFM_INSTANCE_H

#include "core/engine/graph.h"
#include "core/engine/impl.h"

typedef struct mfm_instance {
    mfm_ctx *ctx;
    const mfm_graph *graph;
    mfm_tensor *tensors; /* one a value; shapes of skipped nodes' outputs stay empty */
    mfm_node *nodes;     /* one a node of the graph; op NULL: skipped */
    mfm_tensor **slots;  /* the nodes' in and out arrays */
    uint8_t *flags;      /* the nodes' accumulates arrays */
} mfm_instance;

typedef struct mfm_instance_use {
    uint32_t segments; /* nodes outside the set are skipped */
    mfm_share share;   /* as plan.h has it */
    bool training;
    bool frozen; /* parameters keep their values: nodes whose parameters are the graph's own pack
                    them */
    const mfm_shape *shapes; /* of all values at this batch size, for what skipped nodes give; NULL:
                                nobody reads that */
} mfm_instance_use;

/* The shapes. On failure nothing is left to clear. */
int mfm_instance_init(mfm_ctx *ctx, const mfm_graph *graph, int64_t batch, mfm_instance_use use,
                      mfm_instance *instance);
/* The kernels, for as many threads as OpenMP is set to. */
int mfm_instance_setup(mfm_instance *instance);
void mfm_instance_clear(mfm_instance *instance);

#endif
