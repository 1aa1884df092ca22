/* The images in their order, again and again. */
#include <string.h>

#include "core/data/samplers/sampler.h"

typedef struct toy_state {
    uint32_t count, batch;
    uint32_t indices[];
} toy_state;

static int begin(mfm_ctx *ctx, const mfm_sampling *s, const void *values, void **state)
{
    (void)values;
    toy_state *t = mfm_alloc(ctx, 1, sizeof *t + s->count * sizeof *t->indices);
    *state = t;
    if (!t)
        return MFM_ENOMEM;
    t->count = s->count;
    t->batch = s->batch;
    memcpy(t->indices, s->indices, s->count * sizeof *t->indices);
    return MFM_OK;
}

static void end(mfm_ctx *ctx, void *state)
{
    mfm_free(ctx, state);
}

static void batch(void *state, uint64_t step, uint32_t *indices)
{
    const toy_state *t = state;
    for (uint32_t i = 0; i < t->batch; i++)
        indices[i] = t->indices[(step * t->batch + i) % t->count];
}

const mfm_sampler_kind mfm_sampler_toy = {
    .name = "toy", .summary = "in order", .begin = begin, .end = end, .batch = batch};
