/* Kingma and Ba 2015, algorithm 1; weight decay is part of the gradient. */
#include "core/train/optimizers/adam_step.h"

static void step(const mfm_optimizer_slice *s)
{
    mfm_adam_step(s, s->decay);
}

const mfm_optimizer_kind mfm_optimizer_adam = {
    .name = "adam",
    .summary = "Adam, weight decay in the gradient",
    .settings = {&mfm_adam_settings},
    .moments = 2,
    .lr = 1e-3,
    .step = step,
};
