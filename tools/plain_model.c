#include "tools/plain_model.h"

#include "onnx/checkpoint.h"
#include "onnx/export.h"
#include "onnx/surgery/inject.h"
#include "tools/options/groups/inject_arguments.h"

int mfm_make_plain(mfm_ctx *ctx, mfm_model *model, bool inference)
{
    bool modulated;
    int status = mfm_checkpoint_strip(ctx, model);
    if (!status)
        status = mfm_has_modulator(ctx, model, &modulated);
    if (!status && modulated)
        status = mfm_model_strip(ctx, model);
    if (!status && inference)
        status = mfm_model_set_inference(ctx, model);
    return status;
}

int mfm_plain_model(mfm_ctx *ctx, const mfm_model *model, bool inference, mfm_model **plain)
{
    int status = mfm_model_copy(ctx, model, plain);
    if (!status)
        status = mfm_make_plain(ctx, *plain, inference);
    if (status) {
        mfm_model_free(*plain);
        *plain = NULL;
    }
    return status;
}
