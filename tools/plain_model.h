/* The plain model out of one that is, or was, in training. */
#ifndef MFM_PLAIN_MODEL_H
#define MFM_PLAIN_MODEL_H

#include <stdbool.h>

#include "onnx/proto/model.h"

/* Takes modulator and training state out of the model itself, where there are any; inference: nodes
 * in training form become inference form. */
int mfm_make_plain(mfm_ctx *ctx, mfm_model *model, bool inference);
/* The same of a copy: the model stays as it is. The caller frees *plain. */
int mfm_plain_model(mfm_ctx *ctx, const mfm_model *model, bool inference, mfm_model **plain);

#endif
