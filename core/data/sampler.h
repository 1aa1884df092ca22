/*
 * The order in which images are visited. The training set (or meta set) is gone through again and
 * again, each time in a new permutation; batch number `step` holds the images step * batch ..
 * step * batch + batch - 1 of that endless sequence. So every batch is full, a batch that an epoch
 * does not fill goes on with the next permutation, every image is seen exactly once a permutation,
 * and the position is a pure function of the step: resuming needs nothing else.
 *
 * An epoch is one permutation; a step belongs to the epoch of its first image. Epochs differ by
 * one in their number of steps when batch does not divide the count.
 */
#ifndef MFM_SAMPLER_H
#define MFM_SAMPLER_H

#include <stdint.h>

#include "core/engine/context.h"
#include "core/engine/random.h"

typedef struct mfm_sampler mfm_sampler;

/* Copies the indices. MFM_EINVAL: no indices or an empty batch. One thread at a time. */
int mfm_sampler_new(mfm_ctx *ctx, const uint32_t *indices, uint32_t count, uint32_t batch,
                    uint64_t seed, enum mfm_stream stream, mfm_sampler **sampler);
void mfm_sampler_free(mfm_ctx *ctx, mfm_sampler *sampler);

/* batch indices of a step; cheapest when steps go upwards. */
void mfm_sampler_batch(mfm_sampler *sampler, uint64_t step, uint32_t *indices);

/* The epoch that a step belongs to, and the first step at or after the start of an epoch. */
uint64_t mfm_epoch_of_step(uint64_t step, uint32_t count, uint32_t batch);
uint64_t mfm_epoch_first_step(uint64_t epoch, uint32_t count, uint32_t batch);

#endif
