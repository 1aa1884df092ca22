/*
 * Which images make batch number `step`: a pure function of the step, so that resuming needs
 * nothing else. Adding a sampler: a file in samplers/ that defines
 * `const mfm_sampler_kind mfm_sampler_NAME`, and a line in samplers/samplers.def.
 *
 * An epoch is as many images as the set has, whatever the sampler; a step belongs to the epoch of
 * its first image. Epochs differ by one in their number of steps when batch does not divide the
 * count.
 */
#ifndef MFM_SAMPLER_H
#define MFM_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/option.h"
#include "core/base/random.h"

MFM_C_BEGIN

/* What is drawn from. Borrowed: a sampler copies what it needs later. */
typedef struct mfm_sampling {
    const uint32_t *indices; /* [count] of images */
    const uint16_t *labels;  /* of all images: labels[indices[i]]; NULL: one class */
    uint32_t count, batch;
    uint32_t epochs; /* of the whole training, for samplers that change on the way */
    uint64_t seed;
    enum mfm_stream stream;
    uint32_t defer; /* epochs of shuffling before the sampler sets in */
} mfm_sampling;

typedef struct mfm_sampler_kind {
    const char *name;
    const char *summary;
    const mfm_settings *settings[2]; /* ended by NULL */
    bool needs_end;                  /* what is drawn depends on the number of epochs */
    bool rebalances;                 /* classes are seen in other shares than they have */
    /* Makes *state; after a failure it is NULL. values: of the settings. */
    int (*begin)(mfm_ctx *ctx, const mfm_sampling *sampling, const void *values, void **state);
    void (*end)(mfm_ctx *ctx, void *state);
    /* sampling.batch indices of a step. Cannot fail. One thread at a time. */
    void (*batch)(void *state, uint64_t step, uint32_t *indices);
} mfm_sampler_kind;

/* Ended by NULL; the first, shuffle, is what holds when nothing is chosen. */
extern const mfm_sampler_kind *const mfm_samplers[];
const mfm_sampler_kind *mfm_sampler_find(const char *name);

typedef struct mfm_sampler mfm_sampler;

/* kind NULL: shuffle. chosen NULL: its defaults. MFM_EINVAL: no images or an empty batch. */
int mfm_sampler_new(mfm_ctx *ctx, const mfm_sampler_kind *kind, const mfm_chosen *chosen,
                    const mfm_sampling *sampling, mfm_sampler **sampler);
void mfm_sampler_free(mfm_ctx *ctx, mfm_sampler *sampler);
/* Cheapest when steps go upwards. */
void mfm_sampler_batch(mfm_sampler *sampler, uint64_t step, uint32_t *indices);

/* The epoch that a step belongs to, and the first step at or after the start of an epoch. */
uint64_t mfm_epoch_of_step(uint64_t step, uint32_t count, uint32_t batch);
uint64_t mfm_epoch_first_step(uint64_t epoch, uint32_t count, uint32_t batch);

MFM_C_END

#endif
