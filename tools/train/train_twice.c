/* Parts of a run that favour rare classes. */
#include "core/train/problem/class_weights.h"
#include "tools/train/train_options.h"

void mfm_train_warn_twice(mfm_ctx *ctx, const mfm_train_options *o)
{
    const mfm_class_weights *w = mfm_values_of(o->chosen, &mfm_class_weights_settings);
    const char *by[8];
    int count = 0;
    if (o->method->rebalances)
        by[count++] = o->method->name;
    if (o->loss->rebalances)
        by[count++] = o->loss->name;
    if (w->form != MFM_WEIGHTS_NONE)
        by[count++] = "class weights";
    if (o->sampler->rebalances)
        by[count++] = o->sampler->name;
    if (o->finishing && o->finishing->rebalances)
        by[count++] = o->finishing->name;
    if (count > 1 && (o->method->rebalances || o->sampler->rebalances ||
                      (o->finishing && o->finishing->rebalances)))
        mfm_warn(ctx, "rare classes are favoured %s, by %s and %s%s%s: one of these is usual",
                 count > 2 ? "several times" : "twice", by[0], by[1], count > 2 ? " and " : "",
                 count > 2 ? by[2] : "");
}
