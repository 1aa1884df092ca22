/*
 * Layouts: how the values of a graph that have rank 4 lie in memory. Convolutions and what works by
 * channel are fastest channels-last; products of matrices, and whatever else a file has of rank 4
 * ([n, heads, tokens, d] of an attention), in the file's own order.
 *
 * Operators say what they can take (mfm_op.layout). Values that one of them wants alike get one
 * layout: channels-last where a convolution-like operator or somebody outside the graph reads or
 * writes any of them, else row-major. Where a product of matrices meets a value that must be
 * channels-last, a node mfm.Layout converts.
 */
#ifndef MFM_LAYOUT_H
#define MFM_LAYOUT_H

#include "core/engine/graph.h"

/* keep: values that plans will read or seed, as for mfm_graph_fuse, which comes before. After a
 * failure the graph can only be freed. */
int mfm_graph_lay_out(mfm_graph *graph, const int *keep, size_t n_keep);
/* Nodes that convert. */
size_t mfm_graph_conversions(const mfm_graph *graph);

#endif
