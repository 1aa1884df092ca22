/*
 * Batches as a model reads them: images chosen by a sampler, preprocessed, with their labels as
 * numbers, and mixed when that is asked for. Batch number `step` is a pure function of the options
 * and the step. Of a share (core/base/share.h) what is read is its part of that very batch: its
 * images alone, and, where images are mixed, those that they are mixed with.
 *
 * A batch is made in three parts: its images are chosen, each slot is filled, which any number of
 * workers may share, and the whole is finished.
 */
#ifndef MFM_FEED_H
#define MFM_FEED_H

#include "core/base/share.h"
#include "core/data/batch.h"
#include "core/data/mixing/mixing.h"
#include "core/data/preprocess.h"
#include "core/data/samplers/sampler.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

typedef struct mfm_feed_options {
    const mfm_images *images;
    const mfm_preprocess *preprocess;
    const uint32_t *indices; /* [count] into images; copied */
    uint32_t count, batch;
    mfm_share share; /* what is wanted of each batch; all zero: all of it */
    uint64_t seed;
    enum mfm_stream stream; /* MFM_STREAM_SHUFFLE, _SECOND or _META: keys order and crops */

    bool no_images;  /* labels and indices alone are wanted, of images that are not left out so far
                        (core/data/sources/source.h); without mixing */
    uint32_t copies; /* each image is one of so many augmented copies; 0: a new one each time */

    const mfm_chosen *chosen;        /* of the settings of these two; NULL: the defaults */
    const mfm_sampler_kind *sampler; /* NULL: shuffle */
    uint32_t epochs, defer;          /* as in mfm_sampling */
    const mfm_mixing *mixing;        /* NULL: none */
    int64_t classes;                 /* of the soft labels; this and the rest for mixing only */
    const uint32_t *counts;          /* [classes] */
} mfm_feed_options;

typedef struct mfm_feed mfm_feed;

/* images, preprocess, chosen and counts must outlive the feed. MFM_EINVAL: an empty set or batch,
 * or an index beyond the images. */
int mfm_feed_new(mfm_ctx *ctx, const mfm_feed_options *options, mfm_feed **feed);
void mfm_feed_free(mfm_ctx *ctx, mfm_feed *feed);

/* What one thread reads images with. */
typedef struct mfm_worker mfm_worker;
int mfm_worker_new(mfm_ctx *ctx, const mfm_images *images, const mfm_preprocess *preprocess,
                   mfm_worker **worker);
void mfm_worker_free(mfm_ctx *ctx, mfm_worker *worker);
/* Why the last image could not be read. */
const char *mfm_worker_message(const mfm_worker *worker);

/* Chooses a batch's images, which the feed keeps until the next. One thread at a time; cheapest
 * when steps go upwards. */
void mfm_feed_choose(mfm_feed *feed, uint64_t step);
/* Fills the slots first .. first + count - 1 < mfm_feed_slots of images [n, height, width,
 * channels], unless none are wanted, of labels [n], indices [n] and, where there are such, copies
 * [n], n the share's samples: of another image of the batch, where one that cannot be read is left
 * out. One thread for each worker. Fails by what the worker then tells. */
int mfm_feed_fill(const mfm_feed *feed, mfm_worker *worker, uint64_t step, uint32_t first,
                  uint32_t count, const mfm_batch_room *room);
/* Mixes what is full, where that is asked for: soft_labels [n, classes]; labels stay those of
 * the images themselves. One thread at a time. */
void mfm_feed_finish(mfm_feed *feed, uint64_t step, const mfm_batch_room *room);
/* All of it. */
int mfm_feed_batch(mfm_feed *feed, mfm_worker *worker, uint64_t step, const mfm_batch_room *room);
/* Numbers in the images and in the soft labels of a batch; 0 where there are none. */
size_t mfm_feed_size(const mfm_feed *feed);
size_t mfm_feed_soft_size(const mfm_feed *feed);
const mfm_images *mfm_feed_images(const mfm_feed *feed);
/* Samples of the share, and slots to be filled for them: twice as many of a share that is mixed
 * with images of others. */
uint32_t mfm_feed_batch_size(const mfm_feed *feed);
uint32_t mfm_feed_slots(const mfm_feed *feed);

/* Whether a batch's images are those of its indices, unchanged: neither augmented nor mixed. */
bool mfm_feed_plain(const mfm_feed_options *options);

/* For evaluation: image `index` without augmentation. */
int mfm_evaluation_image(mfm_worker *worker, uint32_t index, real *out, real *label);
/* Augmented copy number `copy` of image `index`: always the same. */
int mfm_copied_image(mfm_worker *worker, uint64_t seed, uint32_t index, uint32_t copy, real *out,
                     real *label);

MFM_C_END

#endif
