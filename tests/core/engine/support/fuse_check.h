/* What the tests of fusion share: a network of images and labels, run whole in all four passes. */
#ifndef MFM_FUSE_CHECK_H
#define MFM_FUSE_CHECK_H

#include "graph_check.h"

enum { FUSE_BATCH = 2, FUSE_MAX_IMAGES = FUSE_BATCH * 3 * 16 * 16 };

/* Values of a graph, and what its inputs are bound to. */
typedef struct fuse_inputs {
    int images, labels, loss;
    real image[FUSE_MAX_IMAGES], classes[FUSE_BATCH];
} fuse_inputs;

mfm_ctx *fuse_ctx(void);
/* images [n, 3, side, side] of normal numbers, and labels. */
void fuse_add_inputs(mfm_net *net, int side, uint64_t seed, fuse_inputs *inputs);
/* Nodes whose operator has this name. */
int fuse_count(const mfm_graph *graph, const char *op);
/* Plans the net, which it takes over, and runs the passes of mfm_bench_spec. */
mfm_bench fuse_run(mfm_net net, const mfm_plan_spec *spec, fuse_inputs *inputs);
/* Ends what fuse_run made, and its context. */
void fuse_finish(mfm_bench *bench);
/* Gradients and their tangents, which must not vanish, to `tolerance` of the largest number. */
void fuse_expect_same(const mfm_bench *fused, const mfm_bench *plain, double tolerance);

#endif
