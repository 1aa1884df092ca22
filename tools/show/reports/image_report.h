/* What a model tells of its images (onnx/info/preprocess_info.h, onnx/info/class_info.h), for
 * reports. What is damaged is told by a warning, and counts as not there. */
#ifndef MFM_IMAGE_REPORT_H
#define MFM_IMAGE_REPORT_H

#include <jansson.h>

#include "onnx/proto/model.h"

/* The metadata's JSON; null: not there. */
json_t *mfm_told_preprocess_json(mfm_ctx *ctx, const mfm_model *model);
json_t *mfm_told_classes_json(mfm_ctx *ctx, const mfm_model *model);
/* Two lines on standard output, or none. */
int mfm_told_print(mfm_ctx *ctx, const mfm_model *model);

#endif
