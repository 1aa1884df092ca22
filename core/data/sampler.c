#include "core/data/sampler.h"

#include <string.h>

struct mfm_sampler {
    uint32_t count, batch;
    mfm_key key;
    uint64_t shuffled; /* order holds this permutation */
    uint32_t *order;   /* [count] */
    uint32_t *indices; /* [count] */
};

static void shuffle(mfm_sampler *sampler, uint64_t permutation)
{
    memcpy(sampler->order, sampler->indices, sampler->count * sizeof *sampler->order);
    sampler->key.step = permutation;
    mfm_random_shuffle(&sampler->key, sampler->order, sampler->count);
    sampler->shuffled = permutation;
}

int mfm_sampler_new(mfm_ctx *ctx, const uint32_t *indices, uint32_t count, uint32_t batch,
                    uint64_t seed, enum mfm_stream stream, mfm_sampler **result)
{
    *result = NULL;
    if (count == 0 || batch == 0)
        return mfm_fail(ctx, MFM_EINVAL, "batches of %u from %u images: both at least 1", batch,
                        count);
    mfm_sampler *sampler = mfm_alloc(ctx, 1, sizeof *sampler);
    if (!sampler)
        return MFM_ENOMEM;
    sampler->count = count;
    sampler->batch = batch;
    sampler->key = (mfm_key){.seed = seed, .stream = stream};
    sampler->order = mfm_alloc(ctx, count, sizeof *sampler->order);
    sampler->indices = mfm_alloc(ctx, count, sizeof *sampler->indices);
    if (!sampler->order || !sampler->indices) {
        mfm_sampler_free(ctx, sampler);
        return MFM_ENOMEM;
    }
    memcpy(sampler->indices, indices, count * sizeof *indices);
    shuffle(sampler, 0);
    *result = sampler;
    return MFM_OK;
}

void mfm_sampler_free(mfm_ctx *ctx, mfm_sampler *sampler)
{
    if (!sampler)
        return;
    mfm_free(ctx, sampler->order);
    mfm_free(ctx, sampler->indices);
    mfm_free(ctx, sampler);
}

void mfm_sampler_batch(mfm_sampler *sampler, uint64_t step, uint32_t *indices)
{
    const uint64_t first = step * sampler->batch;
    uint64_t permutation = first / sampler->count;
    uint32_t at = (uint32_t)(first % sampler->count);
    for (uint32_t slot = 0; slot < sampler->batch; slot++) {
        if (sampler->shuffled != permutation)
            shuffle(sampler, permutation);
        indices[slot] = sampler->order[at++];
        if (at == sampler->count) {
            at = 0;
            permutation++;
        }
    }
}

uint64_t mfm_epoch_of_step(uint64_t step, uint32_t count, uint32_t batch)
{
    return step * batch / count;
}

uint64_t mfm_epoch_first_step(uint64_t epoch, uint32_t count, uint32_t batch)
{
    return (epoch * count + batch - 1) / batch;
}
