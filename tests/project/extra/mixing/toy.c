/* Half and half. */
#include "core/data/mixing/mixing.h"

static void mix(const mfm_mix *m, const void *values)
{
    (void)values;
    mfm_mix_images(m, 0.5);
    for (int64_t i = 0; i < m->n; i++)
        mfm_mix_label(m, i, 0.5);
}

const mfm_mixing mfm_mixing_toy = {.name = "toy", .summary = "half and half", .mix = mix};
