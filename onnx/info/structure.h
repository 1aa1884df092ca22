/* What a model is made of, as a number: models that differ in their weights alone have the same. */
#ifndef MFM_ONNX_STRUCTURE_H
#define MFM_ONNX_STRUCTURE_H

#include <stdint.h>

#include "onnx/proto/model.h"

MFM_C_BEGIN

/* FNV-1a over inputs, outputs, nodes with their attributes, functions, and name, type and shape of
 * each initializer. MFM_ENOMEM. */
int mfm_model_structure(mfm_ctx *ctx, const mfm_model *model, uint64_t *hash);

MFM_C_END

#endif
