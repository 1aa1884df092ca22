/* What trains the hyper-parameters of a method with a meta set, as settings that such methods
 * share. */
#ifndef MFM_HYPER_TRAINING_H
#define MFM_HYPER_TRAINING_H

#include "core/engine/option.h"
#include "core/train/optimizer.h"

/* The modulator network's. */
typedef struct mfm_modulator_training {
    int optimizer; /* MFM_SGD .. MFM_ADAMW */
    double lr;     /* negative: the optimiser's own default */
    double momentum, weight_decay;
} mfm_modulator_training;

/* The rate that holds. */
double mfm_modulator_lr(const mfm_modulator_training *training);

int mfm_modulator_optimizer_init(mfm_ctx *ctx, mfm_optimizer *optimizer,
                                 const mfm_modulator_training *training,
                                 const mfm_graph *modulator);

extern const mfm_settings mfm_modulator_training_settings;

#endif
