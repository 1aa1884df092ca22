#include "core/train/finishing/finishing.h"

#include <string.h>

#define MFM_FINISHING(name) extern const mfm_finishing mfm_finishing_##name;
#include "core/train/finishing/finishing.def"
#include "extra/finishing.def"
#undef MFM_FINISHING

#define MFM_FINISHING(name) &mfm_finishing_##name,
const mfm_finishing *const mfm_finishings[] = {
#include "core/train/finishing/finishing.def"
#include "extra/finishing.def"
    NULL};
#undef MFM_FINISHING

const mfm_finishing *mfm_finishing_find(const char *name)
{
    for (int i = 0; mfm_finishings[i]; i++)
        if (strcmp(mfm_finishings[i]->name, name) == 0)
            return mfm_finishings[i];
    return NULL;
}

int mfm_finishing_check(mfm_ctx *ctx, const mfm_finishing *finishing, const mfm_loss *loss,
                        const mfm_classifier *classifier, const mfm_task *task)
{
    if (!task)
        return mfm_fail(ctx, MFM_EINVAL,
                        "finishing %s: the number of training images of each class is needed",
                        finishing->name);
    if (loss->fold)
        return mfm_fail(ctx, MFM_EINVAL,
                        "finishing %s: the loss %s has a classifier of its own, which is written "
                        "with weights of one length: one of the two",
                        finishing->name, loss->name);
    const int status = mfm_classifier_need(ctx, classifier, finishing->name);
    if (!status && finishing->needs_bias && classifier->bias < 0)
        return mfm_fail(ctx, MFM_ENOTSUP,
                        "finishing %s: the classifier has no bias, which is what it changes",
                        finishing->name);
    return status;
}

void mfm_finish(const mfm_finishing *finishing, const mfm_chosen *chosen,
                const mfm_classifier *classifier, const mfm_task *task, real *params)
{
    const mfm_settings *settings = finishing->settings[0];
    finishing->apply(classifier, task, settings ? mfm_values_of(chosen, settings) : NULL, params);
}
