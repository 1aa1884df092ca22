/*
 * Fusion: chains of nodes that one operator of the engine carries out in fewer sweeps become one
 * node. The graph computes the same; what a model file holds is not touched. Which chains those are
 * the operators say (fusion.h): BatchNormalization with Add and Relu behind it, modulation, ...
 *
 * Relu before MaxPool changes places with it, which gives the same numbers from a fraction of the
 * elements: max and max(., 0) commute, and where they differ in what they pass back, at windows
 * without a positive element, Relu passes nothing.
 *
 * A chain is fused when it lies in one segment and nothing else reads the values inside it. Those
 * values stay in the graph without a producer, so that the numbers of all others stay; parameters,
 * statistics and the keys of the other nodes stay as they are.
 */
#ifndef MFM_FUSE_H
#define MFM_FUSE_H

#include "core/engine/graph.h"

/* keep: values that plans will read or seed. A failure leaves a
 * graph that computes the same. */
int mfm_graph_fuse(mfm_graph *graph, const int *keep, size_t n_keep);

/* What becomes of a graph, fused already, in a plan of that batch size over parameters that stay:
 * chains become operators that run forward alone (mfm_op.frozen). */
int mfm_graph_fuse_frozen(mfm_graph *graph, int64_t batch, const int *keep, size_t n_keep);

#endif
