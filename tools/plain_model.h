/* The plain model out of one that is, or was, in training. */
#ifndef MFM_PLAIN_MODEL_H
#define MFM_PLAIN_MODEL_H

#include <stdbool.h>

#include "onnx/proto/model.h"

/* A copy without modulator and without training state; inference: nodes in training form become
 * inference form. The model stays as it is. The caller frees *plain. */
int mfm_plain_model(mfm_ctx *ctx, const mfm_model *model, bool inference, mfm_model **plain);

#endif
