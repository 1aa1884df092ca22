#include "tools/train/unfinished.h"

#include <jansson.h>
#include <string.h>

#include "core/train/finishing/finishing.h"
#include "core/train/methods/method.h"
#include "onnx/checkpoint.h"

/* What the run chose under a key, when that makes other weights of those that are trained. */
static const char *makes_others(const json_t *options, const char *key)
{
    const char *name = json_string_value(json_object_get(options, key));
    if (!name)
        return NULL;
    const mfm_loss *loss = mfm_loss_find(name);
    const mfm_method *method = mfm_method_find(name);
    const bool others = strcmp(key, "finish") == 0 ? mfm_finishing_find(name) != NULL
                        : strcmp(key, "loss") == 0 ? loss && loss->fold
                                                   : method && method->fold;
    return others ? name : NULL;
}

static int judge(mfm_ctx *ctx, const mfm_model *model, const json_t *options)
{
    static const char *const keys[] = {"finish", "loss", "method"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *name = makes_others(options, keys[i]);
        if (name)
            return mfm_fail(ctx, MFM_EINVAL,
                            "%s: a checkpoint has the weights as they are trained; --%s %s makes "
                            "others of them: take the plain model that the run has written, "
                            "model.onnx in its folder",
                            mfm_model_path(model), keys[i], name);
    }
    return MFM_OK;
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
