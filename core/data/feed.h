/*
 * Batches as a model reads them: images chosen by a sampler, preprocessed, with their labels as
 * numbers. Batch number `step` is a pure function of the options and the step.
 */
#ifndef MFM_FEED_H
#define MFM_FEED_H

#include "core/data/preprocess.h"
#include "core/data/sampler.h"

typedef struct mfm_feed_options {
    const mfm_images *images;
    const mfm_preprocess *preprocess;
    const uint32_t *indices; /* [count] into images; copied */
    uint32_t count, batch;
    uint64_t seed;
    enum mfm_stream stream; /* MFM_STREAM_SHUFFLE or MFM_STREAM_META: keys order and crops */
} mfm_feed_options;

typedef struct mfm_feed mfm_feed;

/* images and preprocess must outlive the feed. MFM_EINVAL: an empty set or batch, or an index
 * beyond the images. One thread at a time. */
int mfm_feed_new(mfm_ctx *ctx, const mfm_feed_options *options, mfm_feed **feed);
void mfm_feed_free(mfm_ctx *ctx, mfm_feed *feed);

/* images [batch, height, width, channels], labels [batch]. */
void mfm_feed_batch(mfm_feed *feed, uint64_t step, real *images, real *labels);
/* Numbers in the images of a batch. */
size_t mfm_feed_size(const mfm_feed *feed);
uint32_t mfm_feed_batch_size(const mfm_feed *feed);

/* For evaluation: up to batch images in order from image `first` on, without augmentation. Returns
 * how many there were, 0 at the end; what lies behind them in the buffers is left as it was. */
uint32_t mfm_evaluation_batch(const mfm_images *images, const mfm_preprocess *preprocess,
                              uint32_t first, uint32_t batch, real *out, real *labels);

#endif
