/*
 * Batches as a model reads them: images chosen by a sampler, preprocessed, with their labels as
 * numbers, and mixed when that is asked for. Batch number `step` is a pure function of the options
 * and the step.
 */
#ifndef MFM_FEED_H
#define MFM_FEED_H

#include "core/data/batch.h"
#include "core/data/mixing.h"
#include "core/data/preprocess.h"
#include "core/data/sampler.h"
#include "core/engine/linkage.h"

MFM_C_BEGIN

typedef struct mfm_feed_options {
    const mfm_images *images;
    const mfm_preprocess *preprocess;
    const uint32_t *indices; /* [count] into images; copied */
    uint32_t count, batch;
    uint64_t seed;
    enum mfm_stream stream; /* MFM_STREAM_SHUFFLE or MFM_STREAM_META: keys order and crops */

    bool no_images; /* labels and indices alone are wanted; without mixing */

    const mfm_chosen *chosen;        /* of the settings of these two; NULL: the defaults */
    const mfm_sampler_kind *sampler; /* NULL: shuffle */
    uint32_t epochs, defer;          /* as in mfm_sampling */
    const mfm_mixing *mixing;        /* NULL: none */
    int64_t classes;                 /* of the soft labels; this and the rest for mixing only */
    const uint32_t *counts;          /* [classes] */
} mfm_feed_options;

typedef struct mfm_feed mfm_feed;

/* images, preprocess, chosen and counts must outlive the feed. MFM_EINVAL: an empty set or batch,
 * or an index beyond the images. One thread at a time. */
int mfm_feed_new(mfm_ctx *ctx, const mfm_feed_options *options, mfm_feed **feed);
void mfm_feed_free(mfm_ctx *ctx, mfm_feed *feed);

/* Fills images [batch, height, width, channels], labels [batch], indices [batch] and, with mixing,
 * soft_labels [batch, classes]. Labels are those of the images themselves. */
void mfm_feed_batch(mfm_feed *feed, uint64_t step, const mfm_batch_room *room);
/* Numbers in the images and in the soft labels of a batch; 0 where there are none. */
size_t mfm_feed_size(const mfm_feed *feed);
size_t mfm_feed_soft_size(const mfm_feed *feed);
uint32_t mfm_feed_batch_size(const mfm_feed *feed);

/* For evaluation, of the images of indices [total] (NULL: the first `total`), without augmentation:
 * up to batch of them in order, from number `first` on. Returns how many there were, 0 at the end;
 * what lies behind them in the buffers is left as it was. */
uint32_t mfm_evaluation_batch(const mfm_images *images, const uint32_t *indices, uint32_t total,
                              const mfm_preprocess *preprocess, uint32_t first, uint32_t batch,
                              real *out, real *labels);

MFM_C_END

#endif
