/*
 * Which epoch of its run a model is of, when it was chosen on validation images:
 * metadata_props["mfm.best"] is JSON (docs/formats.md).
 */
#ifndef MFM_ONNX_BEST_INFO_H
#define MFM_ONNX_BEST_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "onnx/proto/model.h"

#define MFM_BEST_KEY "mfm.best"

typedef struct mfm_best_info {
    uint32_t epoch;          /* counted from 1 */
    double validation_error; /* percent */
} mfm_best_info;

int mfm_best_info_write(mfm_ctx *ctx, mfm_model *model, const mfm_best_info *info);
/* Takes it out of a model that is trained on. */
int mfm_best_info_remove(mfm_model *model);
/* *found: the model tells it, and it is whole. */
void mfm_best_info_read(const mfm_model *model, mfm_best_info *info, bool *found);

#endif
