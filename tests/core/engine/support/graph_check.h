/*
 * Small networks for the tests of the plan: nodes from one line each, parameters from the
 * generator, and one place where a plan meets the vectors that it is bound to.
 */
#ifndef MFM_GRAPH_CHECK_H
#define MFM_GRAPH_CHECK_H

#include "core/engine/plan/plan.h"

/* A graph under construction; the first failure sticks. */
typedef struct mfm_net {
    mfm_ctx *ctx;
    mfm_graph *graph;
    int status;
} mfm_net;

mfm_net mfm_net_new(mfm_ctx *ctx);
/* Each returns a value, -1 after a failure. */
int mfm_net_input(mfm_net *net, enum mfm_role role, mfm_shape shape);
/* Normal numbers times scale. */
int mfm_net_param(mfm_net *net, mfm_shape shape, double scale);
/* "Conv pads=1,1,1,1" or "mfm:SoftmaxCrossEntropy", at opset 17 of ONNX's domain; inputs a, b, c;
 * -1 for none. One output. The node runs in `segment`. */
int mfm_net_node(mfm_net *net, const char *text, int segment, int a, int b, int c);

/* One sweep of each kind over segment 0. */
enum { MFM_BENCH_FORWARD, MFM_BENCH_JVP, MFM_BENCH_VJP, MFM_BENCH_VJP_T, MFM_BENCH_PASSES };

/* A graph, its plan, and the parameter vectors that the plan is bound to: X holds the graph's
 * initial numbers, the others zeros. */
typedef struct mfm_bench {
    mfm_ctx *ctx;
    mfm_graph *graph;
    mfm_plan *plan;
    real *lane[MFM_LANES];
} mfm_bench;

/* All four sweeps in training at batch 2, with every lane of the parameters. */
mfm_plan_spec mfm_bench_spec(const mfm_slot *keep, int n_keep);
/* Takes the net's graph over, in failure too: then nothing is left to clear. */
int mfm_bench_init(mfm_net net, const mfm_plan_spec *spec, mfm_bench *bench);
void mfm_bench_clear(mfm_bench *bench);
void mfm_bench_run(const mfm_bench *bench);

/* A vector as long as the parameters of a graph, zeroed. NULL with MFM_ENOMEM recorded. */
real *mfm_vector_new(const mfm_graph *graph);
/* Directions with magnitudes below 1 in the places of the parameters. */
void mfm_vector_draw(const mfm_graph *graph, uint32_t stream, real *vector);
double mfm_vector_dot(const mfm_graph *graph, const real *a, const real *b);
/* The largest difference relative to the largest number of b. */
double mfm_vector_difference(const mfm_graph *graph, const real *a, const real *b);

#endif
