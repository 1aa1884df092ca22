/*
 * Of a sequence whose tokens are worked on one by one and of which a Gather takes a few, the others
 * are never read: a transformer reads its class token, and the last layer's MLP of all others is
 * work for nothing, a sixteenth of ViT-B/16's step. The Gather moves before what works token by
 * token: element by element, along the axes behind, as products with a matrix.
 *
 *     x -> MatMul -> Add -> Gather(0)      x -> Gather(0) -> MatMul -> Add -> Gather(0 of 1)
 *
 * The graph computes the same but for rounding: the tokens left out pass back zeros. Values keep
 * their numbers; those in between become shorter. Nodes are left as they are where another part of
 * the graph reads all tokens, where they draw numbers, and in other segments than the Gather's.
 */
#ifndef MFM_NARROW_H
#define MFM_NARROW_H

#include "core/engine/graph.h"

/* keep: values that plans will read or seed, which stay whole. A failure leaves a graph that
 * computes the same. */
int mfm_graph_narrow(mfm_graph *graph, const int *keep, size_t n_keep);

#endif
