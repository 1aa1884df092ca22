/*
 * Visits everything in a model: the graph, the graphs inside attributes at any depth, functions
 * and training graphs. The depth is bounded by the scan of the wire format.
 */
#ifndef MFM_ONNX_WALK_H
#define MFM_ONNX_WALK_H

#include "onnx/proto/proto.h"

/* Each may be NULL. A call that returns non-zero ends the walk with that code. A graph is visited
 * before its nodes, a node before the tensors and graphs of its attributes. */
typedef struct mfm_visitor {
    int (*graph)(void *self, Onnx__GraphProto *graph);
    int (*node)(void *self, Onnx__NodeProto *node);
    int (*tensor)(void *self, Onnx__TensorProto *tensor);
    void *self;
} mfm_visitor;

int mfm_walk_model(const mfm_model *model, const mfm_visitor *visitor);
int mfm_walk_graph(Onnx__GraphProto *graph, const mfm_visitor *visitor);

#endif
