/* What Adam and AdamW share: Kingma and Ba 2015, algorithm 1, along d = scale g + decay w. */
#ifndef MFM_ADAM_STEP_H
#define MFM_ADAM_STEP_H

#include "core/train/optimizers/optimizer.h"

void mfm_adam_step(const mfm_optimizer_slice *slice, real decay);

#endif
