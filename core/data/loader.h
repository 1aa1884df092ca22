/*
 * Prepares batches ahead in background threads. A loader carries up to MFM_LOADER_STREAMS streams
 * (training batches, meta batches), each with its own ring of buffers and its own step count, so a
 * stream may be read as seldom as it likes. What is read is what mfm_feed_batch gives for the same
 * step, whatever the timing and the number of threads, which share the slots of a batch.
 *
 * The threads take no signals and never touch the context; they allocate nothing but what a source
 * needs to decode an image. An image that cannot be read ends the preparation: the batches before
 * it are still read, then its message is.
 */
#ifndef MFM_LOADER_H
#define MFM_LOADER_H

#include "core/data/feed.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

enum { MFM_LOADER_STREAMS = 2, MFM_LOADER_MAX_DEPTH = 16, MFM_LOADER_MAX_WORKERS = 64 };

typedef struct mfm_loader_stream {
    mfm_feed_options feed;
    uint64_t first_step; /* of the first batch that is read */
} mfm_loader_stream;

typedef struct mfm_loader mfm_loader;

/* depth: buffers of each stream, 2 .. MFM_LOADER_MAX_DEPTH, one of which the reader holds. workers:
 * threads; 0: none where no stream wants images, one for images in memory, as many as OpenMP has
 * for those that are decoded. The context, images and preprocesses in the streams must outlive the
 * loader. */
int mfm_loader_new(mfm_ctx *ctx, const mfm_loader_stream *streams, int count, int depth,
                   int workers, mfm_loader **loader);
/* Stops the threads, at any time, and frees everything. */
void mfm_loader_free(mfm_ctx *ctx, mfm_loader *loader);

/* The next batch of a stream, waiting for it if need be, and its step (NULL: not wanted). What it
 * points to stays valid until the next call for the same stream. One thread reads. Fails for an
 * image that cannot be read, and from then on. */
int mfm_loader_next(mfm_loader *loader, int stream, mfm_batch *batch, uint64_t *step);

MFM_C_END

#endif
