/*
 * What a model's input must be made of, in the file itself: metadata_props["mfm.preprocess"] is
 * JSON that tells how bytes of an image become the numbers that the model was trained on
 * (docs/formats.md). Of a model that was trained on arrays it tells other things
 * (onnx/info/array_info.h).
 */
#ifndef MFM_ONNX_PREPROCESS_INFO_H
#define MFM_ONNX_PREPROCESS_INFO_H

#include <stdbool.h>

#include "core/data/preprocess.h"
#include "core/base/linkage.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

#define MFM_PREPROCESS_KEY "mfm.preprocess"

/* *found is false when the model tells nothing. MFM_EDATA when what it tells is damaged or cannot
 * be used, MFM_ENOTSUP when it is of a later version, or of arrays: by key, field and rule. */
int mfm_preprocess_info_read(mfm_ctx *ctx, const mfm_model *model, mfm_preprocess_info *info,
                             bool *found);
/* Whether there is such metadata at all. */
bool mfm_preprocess_info_told(const mfm_model *model);
/* Writes it into the model's metadata, in the place of what is there. */
int mfm_preprocess_info_write(mfm_ctx *ctx, mfm_model *model, const mfm_preprocess *preprocess);
/* The JSON (compact) alone; rows: of a model that reads [n, height, width, channels]. The caller
 * releases *text with mfm_free. */
int mfm_preprocess_info_text(mfm_ctx *ctx, const mfm_preprocess *preprocess, bool rows,
                             char **text);

MFM_C_END

#endif
