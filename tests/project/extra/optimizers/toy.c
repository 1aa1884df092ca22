/* Along the gradient's signs. */
#include "core/train/optimizers/optimizer.h"

static void step(const mfm_optimizer_slice *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->params[i] -= s->gradient[i] > 0 ? s->lr : s->gradient[i] < 0 ? -s->lr : 0;
}

const mfm_optimizer_kind mfm_optimizer_toy = {
    .name = "toy", .summary = "along the signs", .moments = 0, .step = step};
