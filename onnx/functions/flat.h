/*
 * A model's functions (ModelProto.functions) are called by nodes of its graph. The file keeps both;
 * whoever asks what the graph computes looks at a flat view of it, in which each call gives way to
 * the nodes of its function, as ONNX defines it:
 *
 *     - inputs and outputs are those of the call; other values of the body, and its nodes, are
 *       called CALL/NAME, CALL being the call's name, else its first output
 *     - an attribute that refers to one of the function's takes the call's, else the function's
 *       default; with neither, the node does not have it
 *     - an Identity in a body is the same value under another name
 *     - the opset of a node is its function's, which must be the model's where that has one
 *
 * What ONNX Runtime's optimiser fuses (fused.h) is a call, too, of a function that the file does
 * not have: in the opset that its body is written for.
 *
 * Tensors are the model's own: a weight that is given to a call is trained where it is an
 * initialiser of the graph. Numbers within a function stay as they are, for all its calls.
 */
#ifndef MFM_ONNX_FLAT_H
#define MFM_ONNX_FLAT_H

#include "onnx/proto/proto.h"

enum { MFM_FLAT_DEPTH = 64, MFM_FLAT_NODES = 1 << 20 };

typedef struct mfm_flat mfm_flat;

/* MFM_EDATA: a function calls itself, at more than MFM_FLAT_DEPTH levels as well, is defined twice,
 * gets more than it has places for, or does not write its output; MFM_ENOTSUP beyond MFM_FLAT_NODES
 * nodes and for another opset than the model's; MFM_ENOMEM. The caller frees *flat, which is stale
 * after any edit of the model. */
int mfm_flat_new(mfm_ctx *ctx, const mfm_model *model, mfm_flat **flat);
void mfm_flat_free(mfm_flat *flat);
/* The view; the model itself where its graph calls no function. NULL for NULL. */
const mfm_model *mfm_flat_model(const mfm_flat *flat);
/* What node number `at` of the view was made of: a node of the graph or of a function's body. */
Onnx__NodeProto *mfm_flat_source(const mfm_flat *flat, size_t at);
/* Its number in the model's graph, or -1 for a node of a function. */
ptrdiff_t mfm_flat_origin(const mfm_flat *flat, size_t at);

/* Of a node of any model, flat or not: the version of its domain; whether it is of a function. */
int64_t mfm_node_opset(const mfm_model *model, const Onnx__NodeProto *node);
bool mfm_node_in_function(const mfm_model *model, const Onnx__NodeProto *node);

#endif
