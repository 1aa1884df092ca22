/*
 * The set is gone through again and again, each time in a new permutation; batch number `step`
 * holds the images step * batch .. step * batch + batch - 1 of that endless sequence. So every
 * batch is full, a batch that an epoch does not fill goes on with the next permutation, and every
 * image is seen exactly once a permutation.
 */
#include <string.h>

#include "core/data/samplers/sampler.h"

typedef struct shuffle_state {
    uint32_t count, batch;
    mfm_key key;
    uint64_t shuffled; /* order holds this permutation */
    uint32_t *order;   /* [count] */
    uint32_t *indices; /* [count] */
} shuffle_state;

static void shuffle(shuffle_state *s, uint64_t permutation)
{
    memcpy(s->order, s->indices, s->count * sizeof *s->order);
    s->key.step = permutation;
    mfm_random_shuffle(&s->key, s->order, s->count);
    s->shuffled = permutation;
}

static void end(mfm_ctx *ctx, void *state)
{
    shuffle_state *s = state;
    mfm_free(ctx, s->order);
    mfm_free(ctx, s->indices);
    mfm_free(ctx, s);
}

static int begin(mfm_ctx *ctx, const mfm_sampling *sampling, const void *values, void **state)
{
    (void)values;
    *state = NULL;
    shuffle_state *s = mfm_alloc(ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    s->count = sampling->count;
    s->batch = sampling->batch;
    s->key = (mfm_key){.seed = sampling->seed, .stream = sampling->stream};
    s->order = mfm_alloc(ctx, s->count, sizeof *s->order);
    s->indices = mfm_alloc(ctx, s->count, sizeof *s->indices);
    if (!s->order || !s->indices) {
        end(ctx, s);
        return MFM_ENOMEM;
    }
    memcpy(s->indices, sampling->indices, s->count * sizeof *s->indices);
    shuffle(s, 0);
    *state = s;
    return MFM_OK;
}

static void batch(void *state, uint64_t step, uint32_t *indices)
{
    shuffle_state *s = state;
    const uint64_t first = step * s->batch;
    uint64_t permutation = first / s->count;
    uint32_t at = (uint32_t)(first % s->count);
    for (uint32_t slot = 0; slot < s->batch; slot++) {
        if (s->shuffled != permutation)
            shuffle(s, permutation);
        indices[slot] = s->order[at++];
        if (at == s->count) {
            at = 0;
            permutation++;
        }
    }
}

const mfm_sampler_kind mfm_sampler_shuffle = {
    .name = "shuffle",
    .summary = "every image once per epoch, in a new order each time",
    .begin = begin,
    .end = end,
    .batch = batch,
};
