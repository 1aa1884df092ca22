#include "tools/unfinished.h"

#include <jansson.h>

#include "core/train/finishing.h"
#include "onnx/checkpoint.h"

static int judge(mfm_ctx *ctx, const mfm_model *model, const json_t *options)
{
    const char *loss = json_string_value(json_object_get(options, "loss"));
    const char *finish = json_string_value(json_object_get(options, "finish"));
    const mfm_loss *l = loss ? mfm_loss_find(loss) : NULL;
    const bool finishes = finish && mfm_finishing_find(finish);
    if (!finishes && (!l || !l->fold))
        return MFM_OK;
    return mfm_fail(ctx, MFM_EINVAL,
                    "%s: a checkpoint has the weights as they are trained; --%s %s makes others of "
                    "them: take the plain model that the run has written, model.onnx in its folder",
                    mfm_model_path(model), finishes ? "finish" : "loss", finishes ? finish : loss);
}

int mfm_refuse_unfinished(mfm_ctx *ctx, const mfm_model *model)
{
    char *text = NULL;
    int status = mfm_checkpoint_options(ctx, model, &text);
    if (status || !text)
        return status;
    json_t *run = json_loads(text, 0, NULL);
    status = judge(ctx, model, json_object_get(run, "options"));
    json_decref(run);
    mfm_free(ctx, text);
    return status;
}
