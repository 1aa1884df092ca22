/*
 * Prepares batches ahead in one background thread. A loader carries up to MFM_LOADER_STREAMS
 * streams (training batches, meta batches), each with its own ring of buffers and its own step
 * count, so a stream may be read as seldom as it likes. What is read is what mfm_feed_batch gives
 * for the same step, whatever the timing.
 *
 * Everything that can fail happens in mfm_loader_new; the thread allocates nothing, takes no
 * signals and never touches the context.
 */
#ifndef MFM_LOADER_H
#define MFM_LOADER_H

#include "core/data/feed.h"
#include "core/engine/linkage.h"

MFM_C_BEGIN

enum { MFM_LOADER_STREAMS = 2, MFM_LOADER_MAX_DEPTH = 16 };

typedef struct mfm_loader_stream {
    mfm_feed_options feed;
    uint64_t first_step; /* of the first batch that is read */
} mfm_loader_stream;

typedef struct mfm_loader mfm_loader;

/* depth: buffers of each stream, 2 .. MFM_LOADER_MAX_DEPTH, one of which the reader holds. The
 * images and preprocesses in the streams must outlive the loader. */
int mfm_loader_new(mfm_ctx *ctx, const mfm_loader_stream *streams, int count, int depth,
                   mfm_loader **loader);
/* Stops the thread, at any time, and frees everything. */
void mfm_loader_free(mfm_ctx *ctx, mfm_loader *loader);

/* The next batch of a stream, waiting for it if need be; returns its step. What it points to stays
 * valid until the next call for the same stream. One thread reads. */
uint64_t mfm_loader_next(mfm_loader *loader, int stream, mfm_batch *batch);

MFM_C_END

#endif
