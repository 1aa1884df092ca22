#include "core/data/samplers/sampler.h"

#include <string.h>

#define MFM_SAMPLER(name) extern const mfm_sampler_kind mfm_sampler_##name;
#include "core/data/samplers/samplers.def"
#include "extra/samplers.def"
#undef MFM_SAMPLER

#define MFM_SAMPLER(name) &mfm_sampler_##name,
const mfm_sampler_kind *const mfm_samplers[] = {
#include "core/data/samplers/samplers.def"
#include "extra/samplers.def"
    NULL};
#undef MFM_SAMPLER

struct mfm_sampler {
    const mfm_sampler_kind *kind;
    void *state, *early; /* early: the shuffle that goes before; NULL: none */
    uint64_t first_step; /* of the kind's own batches */
};

const mfm_sampler_kind *mfm_sampler_find(const char *name)
{
    for (int i = 0; mfm_samplers[i]; i++)
        if (strcmp(mfm_samplers[i]->name, name) == 0)
            return mfm_samplers[i];
    return NULL;
}

static int begin(mfm_ctx *ctx, const mfm_sampling *s, const mfm_chosen *chosen,
                 mfm_sampler *sampler)
{
    const mfm_sampler_kind *kind = sampler->kind, *shuffle = mfm_samplers[0];
    const mfm_settings *settings = kind->settings[0];
    const void *values = settings ? mfm_values_of(chosen, settings) : NULL;
    int status = kind->begin(ctx, s, values, &sampler->state);
    if (status || s->defer == 0 || kind == shuffle)
        return status;
    sampler->first_step = mfm_epoch_first_step(s->defer, s->count, s->batch);
    return shuffle->begin(ctx, s, NULL, &sampler->early);
}

int mfm_sampler_new(mfm_ctx *ctx, const mfm_sampler_kind *kind, const mfm_chosen *chosen,
                    const mfm_sampling *sampling, mfm_sampler **result)
{
    *result = NULL;
    if (sampling->count == 0 || sampling->batch == 0)
        return mfm_fail(ctx, MFM_EINVAL, "batches of %u from %u images: both at least 1",
                        sampling->batch, sampling->count);
    mfm_sampler *sampler = mfm_alloc(ctx, 1, sizeof *sampler);
    if (!sampler)
        return MFM_ENOMEM;
    sampler->kind = kind ? kind : mfm_samplers[0];
    const int status = begin(ctx, sampling, chosen, sampler);
    if (status) {
        mfm_sampler_free(ctx, sampler);
        return status;
    }
    *result = sampler;
    return MFM_OK;
}

void mfm_sampler_free(mfm_ctx *ctx, mfm_sampler *sampler)
{
    if (!sampler)
        return;
    if (sampler->state)
        sampler->kind->end(ctx, sampler->state);
    if (sampler->early)
        mfm_samplers[0]->end(ctx, sampler->early);
    mfm_free(ctx, sampler);
}

void mfm_sampler_batch(mfm_sampler *sampler, uint64_t step, uint32_t *indices)
{
    if (step < sampler->first_step)
        mfm_samplers[0]->batch(sampler->early, step, indices);
    else
        sampler->kind->batch(sampler->state, step, indices);
}

uint64_t mfm_epoch_of_step(uint64_t step, uint32_t count, uint32_t batch)
{
    return step * batch / count;
}

uint64_t mfm_epoch_first_step(uint64_t epoch, uint32_t count, uint32_t batch)
{
    return (epoch * count + batch - 1) / batch;
}
