#include "core/data/loader.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

/* The buffers of a ring are numbered by step: batch number n lies in buffer n % depth. `read` and
 * `ready` only grow, read <= ready <= read - held + depth. */
struct ring {
    mfm_feed *feed;
    uint64_t first_step;
    uint64_t read;  /* batches handed out */
    uint64_t ready; /* batches prepared */
    bool held;      /* the reader still uses batch read - 1 */
    /* Of all buffers, one after the other. */
    mfm_batch_room room;
};

struct mfm_loader {
    struct ring ring[MFM_LOADER_STREAMS];
    int count;
    uint64_t depth;
    pthread_t thread;
    pthread_mutex_t lock; /* guards read, ready, held and stop */
    pthread_cond_t work;  /* there is a free buffer, or stop */
    pthread_cond_t done;  /* a batch has become ready */
    bool stop, has_sync, has_thread;
};

static uint64_t waiting(const struct ring *ring)
{
    return ring->ready - ring->read;
}

/* The stream with the fewest batches waiting among those with a free buffer; NULL: all full. */
static struct ring *neediest(mfm_loader *loader)
{
    struct ring *chosen = NULL;
    for (int i = 0; i < loader->count; i++) {
        struct ring *ring = &loader->ring[i];
        if (waiting(ring) + ring->held < loader->depth &&
            (!chosen || waiting(ring) < waiting(chosen)))
            chosen = ring;
    }
    return chosen;
}

static mfm_batch_room buffer(const mfm_loader *loader, const struct ring *ring, uint64_t number)
{
    const size_t slot = (size_t)(number % loader->depth), n = mfm_feed_batch_size(ring->feed);
    const mfm_batch_room *room = &ring->room;
    return (mfm_batch_room){
        .images = room->images + slot * mfm_feed_size(ring->feed),
        .labels = room->labels + slot * n,
        .soft_labels =
            room->soft_labels ? room->soft_labels + slot * mfm_feed_soft_size(ring->feed) : NULL,
        .indices = room->indices + slot * n};
}

static void *prepare(void *self)
{
    mfm_loader *loader = self;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        struct ring *ring = neediest(loader);
        if (!ring) {
            pthread_cond_wait(&loader->work, &loader->lock);
            continue;
        }
        const uint64_t number = ring->ready;
        const mfm_batch_room room = buffer(loader, ring, number);
        pthread_mutex_unlock(&loader->lock);
        mfm_feed_batch(ring->feed, ring->first_step + number, &room);
        pthread_mutex_lock(&loader->lock);
        ring->ready++;
        pthread_cond_signal(&loader->done);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static int init_ring(mfm_ctx *ctx, const mfm_loader_stream *stream, uint64_t depth,
                     struct ring *ring)
{
    ring->first_step = stream->first_step;
    const int status = mfm_feed_new(ctx, &stream->feed, &ring->feed);
    if (status != MFM_OK)
        return status;
    const size_t batches = (size_t)depth, n = stream->feed.batch;
    const size_t soft = mfm_feed_soft_size(ring->feed);
    mfm_batch_room *room = &ring->room;
    room->images =
        mfm_alloc_aligned(ctx, batches, mfm_feed_size(ring->feed) * sizeof *room->images);
    room->labels = mfm_alloc_aligned(ctx, batches * n, sizeof *room->labels);
    room->indices = mfm_alloc(ctx, batches * n, sizeof *room->indices);
    if (soft)
        room->soft_labels = mfm_alloc_aligned(ctx, batches * soft, sizeof *room->soft_labels);
    return room->images && room->labels && room->indices && (!soft || room->soft_labels)
               ? MFM_OK
               : MFM_ENOMEM;
}

static int init_sync(mfm_ctx *ctx, mfm_loader *loader)
{
    if (pthread_mutex_init(&loader->lock, NULL) != 0)
        return mfm_fail(ctx, MFM_ENOMEM, "loader: no mutex: the system refused");
    if (pthread_cond_init(&loader->work, NULL) != 0) {
        pthread_mutex_destroy(&loader->lock);
        return mfm_fail(ctx, MFM_ENOMEM, "loader: no condition: the system refused");
    }
    if (pthread_cond_init(&loader->done, NULL) != 0) {
        pthread_cond_destroy(&loader->work);
        pthread_mutex_destroy(&loader->lock);
        return mfm_fail(ctx, MFM_ENOMEM, "loader: no condition: the system refused");
    }
    loader->has_sync = true;
    return MFM_OK;
}

/* A thread inherits the mask it is created under: signals stay with the caller's threads. */
static int start(mfm_ctx *ctx, mfm_loader *loader)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int code = pthread_create(&loader->thread, NULL, prepare, loader);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code != 0)
        return mfm_fail(ctx, MFM_ENOMEM, "loader: no thread: %s", strerror(code));
    loader->has_thread = true;
    return MFM_OK;
}

int mfm_loader_new(mfm_ctx *ctx, const mfm_loader_stream *streams, int count, int depth,
                   mfm_loader **result)
{
    *result = NULL;
    if (count < 1 || count > MFM_LOADER_STREAMS || depth < 2 || depth > MFM_LOADER_MAX_DEPTH)
        return mfm_fail(ctx, MFM_EINVAL,
                        "loader: %d streams of %d buffers: 1 to %d streams of 2 to %d", count,
                        depth, MFM_LOADER_STREAMS, MFM_LOADER_MAX_DEPTH);
    mfm_loader *loader = mfm_alloc(ctx, 1, sizeof *loader);
    if (!loader)
        return MFM_ENOMEM;
    loader->count = count;
    loader->depth = (uint64_t)depth;
    int status = MFM_OK;
    for (int i = 0; status == MFM_OK && i < count; i++)
        status = init_ring(ctx, &streams[i], loader->depth, &loader->ring[i]);
    if (status == MFM_OK)
        status = init_sync(ctx, loader);
    if (status == MFM_OK)
        status = start(ctx, loader);
    if (status != MFM_OK) {
        mfm_loader_free(ctx, loader);
        return status;
    }
    *result = loader;
    return MFM_OK;
}

static void stop(mfm_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_signal(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    pthread_join(loader->thread, NULL);
}

void mfm_loader_free(mfm_ctx *ctx, mfm_loader *loader)
{
    if (!loader)
        return;
    if (loader->has_thread)
        stop(loader);
    if (loader->has_sync) {
        pthread_cond_destroy(&loader->done);
        pthread_cond_destroy(&loader->work);
        pthread_mutex_destroy(&loader->lock);
    }
    for (int i = 0; i < loader->count; i++) {
        mfm_free_aligned(ctx, loader->ring[i].room.images);
        mfm_free_aligned(ctx, loader->ring[i].room.labels);
        mfm_free_aligned(ctx, loader->ring[i].room.soft_labels);
        mfm_free(ctx, loader->ring[i].room.indices);
        mfm_feed_free(ctx, loader->ring[i].feed);
    }
    mfm_free(ctx, loader);
}

uint64_t mfm_loader_next(mfm_loader *loader, int stream, mfm_batch *batch)
{
    struct ring *ring = &loader->ring[stream];
    pthread_mutex_lock(&loader->lock);
    ring->held = false;
    pthread_cond_signal(&loader->work);
    while (waiting(ring) == 0)
        pthread_cond_wait(&loader->done, &loader->lock);
    const uint64_t number = ring->read++;
    ring->held = true;
    pthread_mutex_unlock(&loader->lock);
    const mfm_batch_room room = buffer(loader, ring, number);
    *batch = (mfm_batch){.images = mfm_feed_size(ring->feed) ? room.images : NULL,
                         .labels = room.labels,
                         .soft_labels = room.soft_labels,
                         .indices = room.indices,
                         .n = mfm_feed_batch_size(ring->feed)};
    return ring->first_step + number;
}
