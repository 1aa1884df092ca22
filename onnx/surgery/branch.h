/*
 * Two branches made of one (Zhou et al., "BBN: Bilateral-Branch Network", CVPR 2020): everything
 * from a layer, or a residual block, up to what the classifier reads is there twice, with weights
 * and running statistics of its own that start as copies, and the classifier reads both features
 * side by side:
 *
 *     f = [f_c ; f_r]  (Concat),        z = [W_c W_r] f + b,        W_c = W_r = W / 2
 *
 * so that the model computes what it computed before, up to rounding. All that is added is of
 * standard operators: the model stays a plain classifier.
 */
#ifndef MFM_ONNX_BRANCH_H
#define MFM_ONNX_BRANCH_H

#include <stdbool.h>

#include "onnx/proto/model.h"

/* Names the value [f_c ; f_r]. */
#define MFM_BRANCH_KEY "mfm.branches"

/* layer: what onnx/layers/layers.h takes as the selector of one layer, the first that is doubled;
 * NULL: the last residual block is. MFM_EINVAL: there is no such layer or block, or there are two
 * branches already; MFM_ENOTSUP: the classifier is no Gemm or MatMul on float32 weights of its own,
 * or what is to be doubled shares weights with the rest. Nothing is edited then; after any other
 * failure the model is fit only to be freed. */
int mfm_model_branch(mfm_ctx *ctx, mfm_model *model, const char *layer);
bool mfm_model_has_branches(const mfm_model *model);

#endif
