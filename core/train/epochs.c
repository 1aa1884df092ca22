/* Where a run stands among its epochs, and which of them have a checkpoint. */
#include "core/train/trainer.h"

uint64_t mfm_epochs_finished(const mfm_training *t, const mfm_split *split)
{
    const mfm_counters *c = &t->counters;
    const bool under_way = c->epoch_steps > 0 && c->step > 0;
    return mfm_epoch_of_step(under_way ? c->step - 1 : c->step, split->train_count,
                             t->options.batch);
}

bool mfm_epoch_saves(bool must, double saving_seconds, double seconds_since)
{
    enum { TIMES = 4 };
    return must || seconds_since >= TIMES * saving_seconds;
}
