/*
 * What is done to the classifier's weights after training: folded into them, so that what is
 * written stays a plain classifier. Adding a form: a file in finishing/ that defines
 * `const mfm_finishing mfm_finishing_NAME`, and a line in finishing/finishing.def.
 *
 * Test errors are those of the finished weights; training goes on from the others.
 */
#ifndef MFM_FINISHING_H
#define MFM_FINISHING_H

#include "core/base/linkage.h"
#include "core/train/losses/loss.h"

MFM_C_BEGIN

typedef struct mfm_finishing {
    const char *name;
    const char *summary;
    const mfm_settings *settings[2]; /* ended by NULL */
    bool rebalances;                 /* favours classes by their number of images */
    bool needs_bias;
    /* Changes W and b of the classifier in a copy of the parameters. */
    void (*apply)(const mfm_classifier *classifier, const mfm_task *task, const void *values,
                  real *params);
} mfm_finishing;

/* Ended by NULL. */
extern const mfm_finishing *const mfm_finishings[];
const mfm_finishing *mfm_finishing_find(const char *name);

/* MFM_ENOTSUP, MFM_EINVAL: the classifier, or what the loss has made of it, cannot be finished so.
 */
int mfm_finishing_check(mfm_ctx *ctx, const mfm_finishing *finishing, const mfm_loss *loss,
                        const mfm_classifier *classifier, const mfm_task *task);
void mfm_finish(const mfm_finishing *finishing, const mfm_chosen *chosen,
                const mfm_classifier *classifier, const mfm_task *task, real *params);

MFM_C_END

#endif
