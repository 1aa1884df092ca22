/*
 * What the input of a model that was trained on arrays must be made of: metadata_props
 * ["mfm.preprocess"] tells the shape of a row, and mean and deviation where its numbers become
 * (x - mean) / deviation (docs/formats.md). Of images the same entry tells other things
 * (onnx/info/preprocess_info.h).
 */
#ifndef MFM_ONNX_ARRAY_INFO_H
#define MFM_ONNX_ARRAY_INFO_H

#include "core/base/linkage.h"
#include "core/data/array_form.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

/* *found is false, and form zeroed, when the model tells nothing, or of images. MFM_EDATA for what
 * is damaged, MFM_ENOTSUP for a later version. Cleared by the caller, also after a failure. */
int mfm_array_info_read(mfm_ctx *ctx, const mfm_model *model, mfm_array_form *form, bool *found);
/* Whether the entry's JSON tells of arrays. */
struct json_t; /* jansson's */
bool mfm_array_info_is(const struct json_t *root);
/* The JSON; NULL without memory. */
struct json_t *mfm_array_info_json(const mfm_array_form *form);

MFM_C_END

#endif
