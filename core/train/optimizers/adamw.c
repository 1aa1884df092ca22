/* Loshchilov and Hutter, ICLR 2019, algorithm 2: w shrinks by lr decay w, then steps as Adam
 * without decay. */
#include "core/train/optimizers/adam_step.h"

static void step(const mfm_optimizer_slice *s)
{
    const real keep = 1 - s->lr * s->decay;
    for (size_t i = 0; i < s->n; i++)
        s->params[i] *= keep;
    mfm_adam_step(s, 0);
}

const mfm_optimizer_kind mfm_optimizer_adamw = {
    .name = "adamw",
    .summary = "Adam, weight decay apart from the gradient",
    .settings = {&mfm_adam_settings},
    .moments = 2,
    .lr = 1e-3,
    .step = step,
};
