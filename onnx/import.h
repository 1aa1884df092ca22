/*
 * From an ONNX model to a network that the engine trains.
 *
 * What an initialiser is, is read off its use: running statistics are state; floating-point
 * initialisers are parameters, also through `Identity(initialiser)`, which is an independent
 * parameter named by the Identity's output; one initialiser used directly by two nodes is one
 * shared parameter. The value of a Constant node is a constant, unless an operator reads it as its
 * weights; of what was injected only the modulator's weights are trained. Shape sub-graphs are
 * folded, a batch of 1 that is frozen into a Reshape is freed, a Softmax at the end is left out
 * (the loss has its own).
 */
#ifndef MFM_ONNX_IMPORT_H
#define MFM_ONNX_IMPORT_H

#include "core/train/network.h"
#include "onnx/model.h"

/* MFM_ENOTSUP lists every operator that is not supported, MFM_EDATA names the node and the rule.
 * The caller frees *network with mfm_network_free; it keeps nothing of the model. */
int mfm_model_import(mfm_ctx *ctx, const mfm_model *model, mfm_network **network);
/* The same without reading the parameters' numbers: the graph has none (graph->params is NULL)
 * until they are read, into it or into the graphs made from it. */
int mfm_model_import_form(mfm_ctx *ctx, const mfm_model *model, mfm_network **network);
/* The numbers of a graph's parameters, by their names in the model: once for a graph without any.
 * MFM_EINVAL for a parameter that the model has no tensor for; MFM_EIO, MFM_ENOMEM. */
int mfm_model_read_values(mfm_ctx *ctx, const mfm_model *model, mfm_graph *graph);

/* A graph by itself, without the rules for classifiers: every input without an initialiser is an
 * input of the graph, with the shape that the file gives it. outputs[i] becomes the value of the
 * i-th of the first n_outputs outputs. The caller frees *graph. */
int mfm_graph_import(mfm_ctx *ctx, const mfm_model *model, size_t n_outputs, mfm_graph **graph,
                     int *outputs);

#endif
