#include "onnx/info/best_info.h"

#include <jansson.h>
#include <stdlib.h>

#include "onnx/proto/proto.h"

enum { VERSION = 1, ALL_DIGITS = 17 };

int mfm_best_info_write(mfm_ctx *ctx, mfm_model *model, const mfm_best_info *info)
{
    json_t *root = json_pack("{s:i, s:I, s:f}", "version", VERSION, "epoch",
                             (json_int_t)info->epoch, "validation_error", info->validation_error);
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(ALL_DIGITS)) : NULL;
    const int status = text ? mfm_proto_set_metadata(model, MFM_BEST_KEY, text)
                            : mfm_fail(ctx, MFM_ENOMEM, "metadata: out of memory");
    free(text); /* jansson's */
    json_decref(root);
    return status;
}

int mfm_best_info_remove(mfm_model *model)
{
    return mfm_proto_metadata(model, MFM_BEST_KEY)
               ? mfm_proto_set_metadata(model, MFM_BEST_KEY, NULL)
               : MFM_OK;
}

void mfm_best_info_read(const mfm_model *model, mfm_best_info *info, bool *found)
{
    const char *text = mfm_proto_metadata(model, MFM_BEST_KEY);
    json_t *root = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *epoch = json_object_get(root, "epoch");
    const json_t *error = json_object_get(root, "validation_error");
    *found = json_integer_value(json_object_get(root, "version")) == VERSION &&
             json_is_integer(epoch) && json_integer_value(epoch) >= 1 &&
             json_integer_value(epoch) <= UINT32_MAX && json_is_number(error);
    *info = (mfm_best_info){.epoch = (uint32_t)json_integer_value(epoch),
                            .validation_error = json_number_value(error)};
    json_decref(root);
}
