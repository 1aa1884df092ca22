/* Where a run stands among its epochs, which was the best, and which have a checkpoint. */
#include "core/train/trainer.h"

#include <math.h>

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

void mfm_count_epoch(mfm_counters *c, mfm_epoch_report *report)
{
    report->best = c->best_epoch == 0 || report->test_error < c->best_error;
    c->last_error = report->test_error;
    if (report->best) {
        c->best_error = report->test_error;
        c->best_epoch = report->epoch;
    }
    report->best_validated =
        !isnan(report->validation_error) &&
        (c->best_validation_epoch == 0 || report->validation_error < c->best_validation_error);
    c->last_validation_error = report->validation_error;
    if (report->best_validated) {
        c->best_validation_error = report->validation_error;
        c->best_validation_epoch = report->epoch;
        c->best_validation_test_error = report->test_error;
    }
    c->train_loss_sum = c->meta_loss_sum = 0;
    c->epoch_steps = c->epoch_meta_steps = 0;
}
