/*
 * What a fully connected layer reads, brought to one length: each row of features f [n, width] is
 * divided by r = sqrt(mean of f_k^2 + 1e-12), so that its length is sqrt(width), and a row of zeros
 * stays one. Mul, ReduceMean, Add, Sqrt and Div of ONNX's own, in front of that layer alone.
 *
 * A loss that compares directions (LDAM) trains such a layer: with its rows of weights made
 * s / sqrt(width) long, the logits are s cos(f, W_c), as they were trained.
 */
#ifndef MFM_ONNX_UNIT_FEATURES_H
#define MFM_ONNX_UNIT_FEATURES_H

#include "onnx/proto/model.h"

/* weight: the name of the layer's weights [classes, width] or [width, classes]. MFM_ENOTSUP when
 * no Gemm or MatMul of the main graph reads them as float32, or the file is of an opset below 7,
 * which has no broadcasting; nothing is edited then. After MFM_ENOMEM the model is fit only to be
 * freed. */
int mfm_model_unit_features(mfm_ctx *ctx, mfm_model *model, const char *weight);

#endif
