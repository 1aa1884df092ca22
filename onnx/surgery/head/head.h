/*
 * A new head: everything up to the features that the classifier reads stays as it is, and a fresh
 * classifier takes its place,
 *
 *     [GlobalAveragePool]  [Flatten]  [Dropout]  Gemm:   z = W f + b      f [n, width], z [n,
 * classes]
 *
 * W and b start uniform within +-1 / sqrt(width), as PyTorch's Linear does. The output keeps its
 * name and gives logits: a Softmax behind the old classifier goes with it. What nothing reads any
 * more goes, too (onnx/trim.h); all else keeps its names, order, opset and metadata, but for what
 * told of the old classes. What is added is called head, head.weight, head.bias and so on.
 *
 * The features are what the one layer reads that makes the outputs. A convolution that makes them
 * (SqueezeNet, some DenseNets) reads a map, which is then averaged: for a kernel of 1 x 1 that is
 * the same linear classifier, with the mean taken first.
 */
#ifndef MFM_ONNX_HEAD_H
#define MFM_ONNX_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "onnx/proto/model.h"

typedef struct mfm_head_options {
    int64_t classes; /* at least 2 */
    /* Features are those of this layer, as onnx/layers/layers.h selects it: behind its activation;
     * of block:N, behind that block's sum. NULL: what the classifier reads. */
    const char *after;
    /* The mean over each map. Without `after` the features are the last maps that there are, and
     * hidden fully connected layers behind them go; where these are averaged already, it has no
     * effect, which is warned of. */
    bool pool;
    double dropout; /* ratio in front of the classifier, in [0, 1); 0: no such node */
    uint64_t seed;
} mfm_head_options;

enum { MFM_HEAD_NAME = 256 };

/* What was done. */
typedef struct mfm_head_report {
    char features[MFM_HEAD_NAME]; /* the value that the head reads */
    bool pooled;
    int64_t width;
    size_t removed_nodes, removed_initializers, added_nodes;
} mfm_head_report;

/* The model has no modulator and no training state. MFM_EINVAL: no or several layers make the first
 * output, no layer is called so (with the nearest names), it is the classifier itself, or no
 * weights lie before the features: nothing is edited then. MFM_ENOTSUP: features whose width the
 * file does not tell, layers whose weights are of several element types; the fresh weights are of
 * theirs. After any other failure than MFM_EINVAL the model is fit only to be freed. report may be
 * NULL. */
int mfm_model_new_head(mfm_ctx *ctx, mfm_model *model, const mfm_head_options *options,
                       mfm_head_report *report);

#endif
