/*
 * One training run's state: what changes from step to step, and so what a checkpoint holds,
 * together with the graphs and options that give it meaning.
 */
#ifndef MFM_TRAINING_H
#define MFM_TRAINING_H

#include "core/train/bilevel.h"
#include "core/train/method.h"
#include "core/train/optimizer.h"
#include "core/train/schedule.h"

struct mfm_train_options {
    const mfm_method *method;
    /* What was chosen of the settings that the parts of this run declare, ended by one without
     * settings; those that are not here have their defaults. Outlives the training. */
    const mfm_chosen *chosen;
    uint32_t epochs, batch, meta_batch;
    mfm_schedule schedule;
    double momentum, weight_decay;
    uint64_t seed;
};

/* The structure that was chosen of these settings, or their defaults. */
const void *mfm_chosen_values(const mfm_train_options *options, const mfm_settings *settings);

/* Counters of a run; with the vectors of mfm_training they make resuming bit-identical. */
typedef struct mfm_counters {
    uint64_t step;                     /* steps taken */
    uint64_t batches[MFM_MAX_STREAMS]; /* read of each stream */
    /* Sums over the steps of the epoch under way. */
    double train_loss_sum, meta_loss_sum;
    uint64_t epoch_steps;
    /* Over the epochs evaluated so far; error in percent, best_epoch counted from 1. */
    double best_error, last_error;
    uint32_t best_epoch;
    double seconds; /* spent in training, all sessions */
} mfm_counters;

struct mfm_training {
    mfm_ctx *ctx;
    mfm_train_options options;
    const mfm_split_graph *split;
    real *w, *state; /* laid out as split->main */
    real *phi;       /* hyper-parameters, laid out as split->modulator; NULL: the method has none */
    mfm_optimizer optimizer, modulator_optimizer;
    mfm_counters counters;
    void *method_state; /* the method's own: plans and buffers */
};

/* Starts from the numbers in the graphs. The method must fit the model: one that modulates needs a
 * modulator. split must outlive the result. */
int mfm_training_new(mfm_ctx *ctx, const mfm_split_graph *split, const mfm_train_options *options,
                     mfm_training **training);
void mfm_training_free(mfm_training *training);

/* MFM_ENAN when a parameter or running statistic is no finite number. */
int mfm_training_check_finite(const mfm_training *training);

#endif
