/* What can be asked of `onnx-mfm train`. */
#ifndef MFM_TRAIN_OPTIONS_H
#define MFM_TRAIN_OPTIONS_H

#include "core/data/preprocess.h"
#include "core/train/training.h"
#include "tools/data_options.h"
#include "tools/inject_arguments.h"

typedef struct mfm_train_arguments {
    const char *output, *run;
    bool resume;
    uint64_t threads;
    double checkpoint_minutes; /* between checkpoints within an epoch; 0: none */

    const char *data;
    mfm_split_arguments split;
    int augment, border;
    bool fit;

    const char *method;
    uint64_t epochs, batch, meta_batch, seed;
    double lr, momentum, weight_decay, lr_decay;
    mfm_uints milestones;

    mfm_inject_arguments inject;
    int modulator_optimizer;
    double modulator_lr; /* 0: the optimiser's own default */
    double modulator_momentum, modulator_weight_decay;
} mfm_train_arguments;

/* What holds when no option is given. */
mfm_train_arguments mfm_train_defaults(void);
extern const mfm_option_table mfm_train_table;

/* What the command line alone tells to be wrong; sets the learning rate that was left open. After
 * options of a run that goes on have been taken over. */
int mfm_train_arguments_settle(mfm_ctx *ctx, mfm_train_arguments *arguments,
                               const mfm_arguments *given);
mfm_augment mfm_train_augment(const mfm_train_arguments *arguments);
mfm_train_options mfm_train_options_of(const mfm_train_arguments *arguments);
/* The split: a method without meta set copies no images into one. */
mfm_split_arguments mfm_train_split_of(const mfm_train_arguments *arguments);

#endif
