/* What trains the hyper-parameters of a method with a meta set, as settings that such methods
 * share. */
#ifndef MFM_HYPER_TRAINING_H
#define MFM_HYPER_TRAINING_H

#include "core/engine/option.h"
#include "core/train/optimizer.h"

/* The modulator network's. */
typedef struct mfm_modulator_training {
    int optimizer; /* enum mfm_optimizer_kind */
    double lr;     /* negative: the optimiser's own default */
    double momentum, weight_decay;
} mfm_modulator_training;

/* The rate that holds. */
double mfm_modulator_lr(const mfm_modulator_training *training);

extern const mfm_settings mfm_modulator_training_settings;

#endif
