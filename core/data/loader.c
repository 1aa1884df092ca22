#include "core/data/loader.h"

#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "core/data/sources/source.h"

/* Where the batch that a ring prepares stands. Its slots are filled by any number of workers; it is
 * chosen, and finished, by one. */
enum stage { IDLE, CHOOSING, FILLING, FINISHING };

/* The buffers of a ring are numbered by step: batch number n lies in buffer n % depth. `read` and
 * `ready` only grow, read <= ready <= read - held + depth. */
struct ring {
    mfm_feed *feed;
    uint64_t first_step;
    uint64_t read;  /* batches handed out */
    uint64_t ready; /* batches prepared; number `ready` is the one in preparation */
    bool held;      /* the reader still uses batch read - 1 */
    enum stage stage;
    uint32_t taken, filled; /* slots of the batch in preparation */
    uint32_t chunk;         /* slots that a worker takes at a time */
    bool plain;             /* of the batches */
    /* Of all buffers, one after the other. */
    mfm_batch_room room;
};

/* One thread, and what it reads each stream with. */
struct hand {
    struct mfm_loader *loader;
    pthread_t thread;
    bool runs;
    mfm_worker *worker[MFM_LOADER_STREAMS];
};

struct mfm_loader {
    mfm_ctx *ctx; /* of the reader's thread, which alone uses it */
    struct ring ring[MFM_LOADER_STREAMS];
    int count, hands;
    bool alone; /* the reader itself is the one hand */
    uint64_t depth;
    struct hand hand[MFM_LOADER_MAX_WORKERS];
    pthread_mutex_t lock; /* guards the rings' numbers and stages, stop and failure */
    pthread_cond_t work;  /* there is something to do, or stop */
    pthread_cond_t done;  /* a batch has become ready, or failure */
    bool stop, has_sync;
    int failure; /* the first, which ends all preparation; its message */
    char message[MFM_PICTURE_MESSAGE];
};

static uint64_t waiting(const struct ring *ring)
{
    return ring->ready - ring->read;
}

static bool has_work(const mfm_loader *loader, const struct ring *ring)
{
    if (ring->stage == FILLING)
        return ring->taken < mfm_feed_slots(ring->feed);
    return ring->stage == IDLE && waiting(ring) + ring->held < loader->depth;
}

/* The stream with the fewest batches waiting among those with work; NULL: none has. */
static struct ring *neediest(mfm_loader *loader)
{
    struct ring *chosen = NULL;
    for (int i = 0; i < loader->count; i++) {
        struct ring *ring = &loader->ring[i];
        if (has_work(loader, ring) && (!chosen || waiting(ring) < waiting(chosen)))
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
        .indices = room->indices + slot * n,
        .copies = room->copies ? room->copies + slot * n : NULL};
}

/* The steps of a batch: each is entered and left with the lock, and works without it. */

static void choose(mfm_loader *loader, struct ring *ring)
{
    const uint64_t step = ring->first_step + ring->ready;
    ring->stage = CHOOSING;
    pthread_mutex_unlock(&loader->lock);
    mfm_feed_choose(ring->feed, step);
    pthread_mutex_lock(&loader->lock);
    ring->stage = FILLING;
    ring->taken = ring->filled = 0;
    pthread_cond_broadcast(&loader->work);
}

static void finish(mfm_loader *loader, struct ring *ring)
{
    const mfm_batch_room room = buffer(loader, ring, ring->ready);
    const uint64_t step = ring->first_step + ring->ready;
    ring->stage = FINISHING;
    pthread_mutex_unlock(&loader->lock);
    mfm_feed_finish(ring->feed, step, &room);
    pthread_mutex_lock(&loader->lock);
    ring->stage = IDLE;
    ring->ready++;
    pthread_cond_signal(&loader->done);
    pthread_cond_broadcast(&loader->work);
}

static void fill(mfm_loader *loader, struct ring *ring, mfm_worker *worker)
{
    const mfm_batch_room room = buffer(loader, ring, ring->ready);
    const uint64_t step = ring->first_step + ring->ready;
    const uint32_t n = mfm_feed_slots(ring->feed), first = ring->taken;
    const uint32_t count = n - first < ring->chunk ? n - first : ring->chunk;
    ring->taken += count;
    pthread_mutex_unlock(&loader->lock);
    const int status = mfm_feed_fill(ring->feed, worker, step, first, count, &room);
    pthread_mutex_lock(&loader->lock);
    if (status != MFM_OK && loader->failure == MFM_OK) {
        loader->failure = status;
        memcpy(loader->message, mfm_worker_message(worker), sizeof loader->message);
        pthread_cond_signal(&loader->done);
        pthread_cond_broadcast(&loader->work);
    }
    ring->filled += count;
    if (ring->filled == n && loader->failure == MFM_OK)
        finish(loader, ring);
}

/* A ring with work has its next part done. */
static void advance(mfm_loader *loader, struct ring *ring, const struct hand *hand)
{
    if (ring->stage == IDLE)
        choose(loader, ring);
    else
        fill(loader, ring, hand->worker[ring - loader->ring]);
}

static void *prepare(void *self)
{
    struct hand *hand = self;
    mfm_loader *loader = hand->loader;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop && loader->failure == MFM_OK) {
        struct ring *ring = neediest(loader);
        if (!ring)
            pthread_cond_wait(&loader->work, &loader->lock);
        else
            advance(loader, ring, hand);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static int init_ring(mfm_ctx *ctx, const mfm_loader_stream *stream, uint64_t depth,
                     struct ring *ring)
{
    ring->first_step = stream->first_step;
    ring->plain = mfm_feed_plain(&stream->feed);
    const int status = mfm_feed_new(ctx, &stream->feed, &ring->feed);
    if (status != MFM_OK)
        return status;
    const size_t batches = (size_t)depth, n = mfm_feed_batch_size(ring->feed);
    const size_t soft = mfm_feed_soft_size(ring->feed);
    mfm_batch_room *room = &ring->room;
    room->images =
        mfm_alloc_aligned(ctx, batches, mfm_feed_size(ring->feed) * sizeof *room->images);
    room->labels = mfm_alloc_aligned(ctx, batches * n, sizeof *room->labels);
    room->indices = mfm_alloc(ctx, batches * n, sizeof *room->indices);
    if (stream->feed.copies)
        room->copies = mfm_alloc(ctx, batches * n, sizeof *room->copies);
    if (soft)
        room->soft_labels = mfm_alloc_aligned(ctx, batches * soft, sizeof *room->soft_labels);
    return room->images && room->labels && room->indices && (!soft || room->soft_labels) &&
                   (!stream->feed.copies || room->copies)
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
static int start(mfm_ctx *ctx, struct hand *hand)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int code = pthread_create(&hand->thread, NULL, prepare, hand);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code != 0)
        return mfm_fail(ctx, MFM_ENOMEM, "loader: no thread: %s", strerror(code));
    hand->runs = true;
    return MFM_OK;
}

/* Labels and indices without images are there sooner than a thread is told to fetch them. */
static bool needs_no_thread(const mfm_loader_stream *streams, int count)
{
    for (int i = 0; i < count; i++)
        if (!streams[i].feed.no_images)
            return false;
    return true;
}

static int init_hand(mfm_ctx *ctx, mfm_loader *loader, const mfm_loader_stream *streams,
                     struct hand *hand)
{
    int status = MFM_OK;
    hand->loader = loader;
    for (int i = 0; status == MFM_OK && i < loader->count; i++)
        status = mfm_worker_new(ctx, streams[i].feed.images, streams[i].feed.preprocess,
                                &hand->worker[i]);
    return status;
}

/* Images in memory are ready faster than any step: one thread is enough. */
static int workers_for(const mfm_loader_stream *streams, int count, int workers)
{
    bool decodes = false;
    for (int i = 0; i < count; i++)
        decodes =
            decodes || (streams[i].feed.images->source && streams[i].feed.images->source->decodes);
    const int chosen = workers > 0 ? workers : decodes ? omp_get_max_threads() : 1;
    return chosen < MFM_LOADER_MAX_WORKERS ? chosen : MFM_LOADER_MAX_WORKERS;
}

static int init(mfm_ctx *ctx, mfm_loader *loader, const mfm_loader_stream *streams)
{
    int status = MFM_OK;
    for (int i = 0; status == MFM_OK && i < loader->count; i++) {
        status = init_ring(ctx, &streams[i], loader->depth, &loader->ring[i]);
        const uint32_t hands = (uint32_t)loader->hands;
        const uint32_t slots = status ? 1 : mfm_feed_slots(loader->ring[i].feed);
        loader->ring[i].chunk = hands == 1 ? slots : 1 + slots / (16 * hands);
    }
    for (int i = 0; status == MFM_OK && i < loader->hands; i++)
        status = init_hand(ctx, loader, streams, &loader->hand[i]);
    if (status == MFM_OK)
        status = init_sync(ctx, loader);
    for (int i = 0; status == MFM_OK && i < loader->hands && !loader->alone; i++)
        status = start(ctx, &loader->hand[i]);
    return status;
}

int mfm_loader_new(mfm_ctx *ctx, const mfm_loader_stream *streams, int count, int depth,
                   int workers, mfm_loader **result)
{
    *result = NULL;
    if (count < 1 || count > MFM_LOADER_STREAMS || depth < 2 || depth > MFM_LOADER_MAX_DEPTH)
        return mfm_fail(ctx, MFM_EINVAL,
                        "loader: %d streams of %d buffers: 1 to %d streams of 2 to %d", count,
                        depth, MFM_LOADER_STREAMS, MFM_LOADER_MAX_DEPTH);
    mfm_loader *loader = mfm_alloc(ctx, 1, sizeof *loader);
    if (!loader)
        return MFM_ENOMEM;
    loader->ctx = ctx;
    loader->count = count;
    loader->depth = (uint64_t)depth;
    loader->alone = workers == 0 && needs_no_thread(streams, count);
    loader->hands = loader->alone ? 1 : workers_for(streams, count, workers);
    const int status = init(ctx, loader, streams);
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
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->hands; i++)
        if (loader->hand[i].runs)
            pthread_join(loader->hand[i].thread, NULL);
}

void mfm_loader_free(mfm_ctx *ctx, mfm_loader *loader)
{
    if (!loader)
        return;
    if (loader->has_sync) {
        stop(loader);
        pthread_cond_destroy(&loader->done);
        pthread_cond_destroy(&loader->work);
        pthread_mutex_destroy(&loader->lock);
    }
    for (int i = 0; i < loader->hands; i++)
        for (int k = 0; k < loader->count; k++)
            mfm_worker_free(ctx, loader->hand[i].worker[k]);
    for (int i = 0; i < loader->count; i++) {
        mfm_free_aligned(ctx, loader->ring[i].room.images);
        mfm_free_aligned(ctx, loader->ring[i].room.labels);
        mfm_free_aligned(ctx, loader->ring[i].room.soft_labels);
        mfm_free(ctx, loader->ring[i].room.indices);
        mfm_free(ctx, loader->ring[i].room.copies);
        mfm_feed_free(ctx, loader->ring[i].feed);
    }
    mfm_free(ctx, loader);
}

int mfm_loader_next(mfm_loader *loader, int stream, mfm_batch *batch, uint64_t *step)
{
    struct ring *ring = &loader->ring[stream];
    pthread_mutex_lock(&loader->lock);
    ring->held = false;
    pthread_cond_broadcast(&loader->work);
    while (waiting(ring) == 0 && loader->failure == MFM_OK) {
        if (loader->alone)
            advance(loader, ring, &loader->hand[0]);
        else
            pthread_cond_wait(&loader->done, &loader->lock);
    }
    if (waiting(ring) == 0) {
        pthread_mutex_unlock(&loader->lock); /* a failure is the last that is written */
        return mfm_fail(loader->ctx, loader->failure, "%s", loader->message);
    }
    const uint64_t number = ring->read++;
    ring->held = true;
    pthread_mutex_unlock(&loader->lock);
    const mfm_batch_room room = buffer(loader, ring, number);
    *batch = (mfm_batch){.images = mfm_feed_size(ring->feed) ? room.images : NULL,
                         .labels = room.labels,
                         .soft_labels = room.soft_labels,
                         .indices = room.indices,
                         .plain = ring->plain,
                         .copies = room.copies,
                         .n = mfm_feed_batch_size(ring->feed)};
    mfm_images_tell(loader->ctx, mfm_feed_images(ring->feed), false);
    if (step)
        *step = ring->first_step + number;
    return MFM_OK;
}
