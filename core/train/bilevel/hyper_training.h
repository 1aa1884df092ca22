/* What trains the hyper-parameters of a method with a meta set, as settings that such methods
 * share. */
#ifndef MFM_HYPER_TRAINING_H
#define MFM_HYPER_TRAINING_H

#include "core/base/linkage.h"
#include "core/base/option.h"
#include "core/train/optimizers/optimizer.h"

MFM_C_BEGIN

typedef struct mfm_modulator_training {
    int optimizer; /* MFM_SGD .. MFM_ADAMW */
    double lr;     /* negative: the optimiser's own default */
    double momentum, weight_decay;
    int follow; /* the rate: 0 constant, 1 in proportion to that of the weights */
} mfm_modulator_training;

/* The rate that holds, before it follows. */
double mfm_modulator_lr(const mfm_modulator_training *training);

int mfm_modulator_optimizer_init(mfm_ctx *ctx, mfm_optimizer *optimizer,
                                 const mfm_modulator_training *training,
                                 const mfm_graph *modulator);

/* Of a modulator, network or free; of Meta-Weight-Net's network. */
extern const mfm_settings mfm_modulator_training_settings, mfm_weighting_training_settings;

MFM_C_END

#endif
