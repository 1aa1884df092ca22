/*
 * The loop over steps and epochs. It knows data and methods, and tells its progress; what is
 * printed or written is up to the caller.
 */
#ifndef MFM_TRAINER_H
#define MFM_TRAINER_H

#include <signal.h>

#include "core/data/loader.h"
#include "core/data/split.h"
#include "core/base/linkage.h"
#include "core/report/confusion.h"
#include "core/train/training.h"

MFM_C_BEGIN

typedef struct mfm_train_data {
    const mfm_dataset *dataset; /* with its training and test parts */
    const mfm_split *split;
    const mfm_preprocess *preprocess;
} mfm_train_data;

typedef struct mfm_progress {
    uint64_t epoch; /* from 0 */
    uint64_t step, epoch_first_step, epoch_end_step, last_step;
    double train_loss; /* mean over the epoch so far */
    double lr;
    double images_per_second; /* over this session's steps; before them, the run's */
    double seconds_left;      /* steps and evaluations still to come, at that rate */
    /* Images of the evaluation that ends the epoch; both 0 while there are steps to take. */
    uint32_t evaluated, to_evaluate;
} mfm_progress;

typedef struct mfm_epoch_report {
    uint32_t epoch;               /* counted from 1: epochs finished */
    double train_loss, meta_loss; /* means over the epoch; NAN: not measured */
    double test_error, test_loss; /* percent; mean cross-entropy */
    /* The same over the split's validation part, each class counting the same; NAN: it has none. */
    double validation_error, validation_loss;
    const mfm_confusion *confusion;
    double lr;
    double seconds;      /* training only, since the run began */
    bool best;           /* the lowest test error so far */
    bool best_validated; /* the lowest validation error so far */
} mfm_epoch_report;

/* Any function may be NULL. A negative result of on_epoch or save ends the run with that code. */
typedef struct mfm_train_events {
    void *self;
    /* After each step, and after each batch of an evaluation. */
    void (*on_progress)(void *self, const mfm_progress *progress);
    int (*on_epoch)(void *self, const mfm_epoch_report *report);
    /* Keep a checkpoint: called after each epoch (but see spare_from), when the run is interrupted,
     * and within an epoch when the last one is save_seconds old (0: never). All numbers have been
     * found finite. When it is called has no influence on results. */
    int (*save)(void *self, const mfm_training *training);
    double save_seconds;
    /* Numbers in the model, frozen ones with them, from which epochs that are short beside their
     * checkpoint do without (mfm_epoch_saves). 0: none does. */
    size_t spare_from;
    /* While the features of frozen layers are looked up and computed, before the first step: of
     * some images (core/train/features/keep_features.h). */
    void (*on_features)(void *self, const char *doing, uint32_t done, uint32_t total);
    /* Something worth knowing of the run, a line without its end. */
    void (*on_note)(void *self, const char *note);
} mfm_train_events;

/* Epochs of the run that are over, their evaluation included. One whose steps have all been taken,
 * but whose evaluation was interrupted, is not: going on begins with that evaluation. */
uint64_t mfm_epochs_finished(const mfm_training *training, const mfm_split *split);

/* An evaluated epoch is over: sets report->best and ->best_validated, the first of equals. */
void mfm_count_epoch(mfm_counters *counters, mfm_epoch_report *report);

/* Whether an epoch of a large model has a checkpoint of its own. The last has, and one with the
 * lowest validation error so far; else it is left out until four times as long has passed since the
 * last one as that took to write: a head on kept features trains an epoch in the twentieth part of
 * the time that its network's file takes. */
bool mfm_epoch_saves(bool must, double saving_seconds, double seconds_since);

/* Trains from training->counters.step to the end of the last epoch. *stop (may be NULL) is looked
 * at after each step and each batch of an evaluation but the last: when set, the checkpoint is kept
 * and MFM_EINTR returned. A loss that is not finite gives MFM_ENAN; the last checkpoint stays as it
 * is. MFM_EINVAL: a training batch larger than the split. */
int mfm_train(mfm_training *training, const mfm_train_data *data, const mfm_train_events *events,
              const volatile sig_atomic_t *stop);

MFM_C_END

#endif
