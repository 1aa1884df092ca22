#include "core/data/loader.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/core/data/support.h"
#include "core/data/sources/source.h"

enum {
    COPIES = 3,
    SIDE = 6,
    IMAGES = 50,
    TRAIN = 41,
    META = 7,
    BATCH = 8,
    META_BATCH = 10, /* more than the meta set holds */
    SIZE = SIDE * SIDE * 3
};

/* Images that a loader can serve, with everything it points to. */
typedef struct fixture {
    mfm_ctx *ctx;
    uint8_t pixels[IMAGES * SIZE];
    uint16_t labels[IMAGES];
    uint32_t train[TRAIN], meta[META];
    mfm_dataset dataset;
    mfm_preprocess preprocess;
    mfm_loader_stream streams[2];
} fixture;

static void fixture_init(fixture *f)
{
    static char name[] = "made";
    memset(f, 0, sizeof *f);
    f->ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof f->pixels; i++)
        f->pixels[i] = (uint8_t)((i * 2654435761u) >> 13);
    for (uint32_t i = 0; i < IMAGES; i++)
        f->labels[i] = (uint16_t)(i % 9);
    for (uint32_t i = 0; i < TRAIN; i++)
        f->train[i] = i;
    for (uint32_t i = 0; i < META; i++)
        f->meta[i] = IMAGES - 1 - i;
    f->dataset =
        (mfm_dataset){.name = name,
                      .height = SIDE,
                      .width = SIDE,
                      .channels = 3,
                      .classes = 9,
                      .mean = {0.5, 0.4, 0.3},
                      .deviation = {0.2, 0.3, 0.4},
                      .train = {.count = IMAGES, .pixels = f->pixels, .labels = f->labels}};
    mfm_augment augment;
    CU_ASSERT_EQUAL_FATAL(mfm_augment_read(f->ctx, "shift:2,flip", MFM_BORDER_ZERO, &augment),
                          MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_preprocess_init(f->ctx, &f->dataset, 3, SIDE, SIDE, false, NULL,
                                              &augment, &f->preprocess),
                          MFM_OK);
    f->streams[0].feed = (mfm_feed_options){.images = &f->dataset.train,
                                            .preprocess = &f->preprocess,
                                            .indices = f->train,
                                            .count = TRAIN,
                                            .batch = BATCH,
                                            .seed = 42,
                                            .stream = MFM_STREAM_SHUFFLE};
    f->streams[1].feed = f->streams[0].feed;
    f->streams[1].feed.indices = f->meta;
    f->streams[1].feed.count = META;
    f->streams[1].feed.batch = META_BATCH;
    f->streams[1].feed.stream = MFM_STREAM_META;
}

static void fixture_clear(fixture *f)
{
    mfm_ctx_free(f->ctx);
}

static void nap(long nanoseconds)
{
    const struct timespec time = {0, nanoseconds};
    nanosleep(&time, NULL);
}

/* Reads count batches of each stream, the meta stream once in meta_every, and compares them with
 * the feeds' own. */
static void compare_for(fixture *f, int depth, int workers, uint64_t count, uint64_t meta_every,
                        long delay)
{
    static real images[META_BATCH * SIZE], labels[META_BATCH];
    static uint32_t indices[META_BATCH], copies[META_BATCH];
    const mfm_batch_room room = {
        .images = images, .labels = labels, .indices = indices, .copies = copies};
    mfm_loader *loader;
    mfm_feed *feeds[2];
    mfm_worker *worker;
    uint64_t next[2] = {f->streams[0].first_step, f->streams[1].first_step};
    for (int s = 0; s < 2; s++)
        CU_ASSERT_EQUAL_FATAL(mfm_feed_new(f->ctx, &f->streams[s].feed, &feeds[s]), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_worker_new(f->ctx, &f->dataset.train, &f->preprocess, &worker),
                          MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_loader_new(f->ctx, f->streams, 2, depth, workers, &loader), MFM_OK);
    for (uint64_t i = 0; i < count; i++)
        for (int s = 0; s < (i % meta_every == 0 ? 2 : 1); s++) {
            mfm_batch got;
            uint64_t step;
            CU_ASSERT_EQUAL_FATAL(mfm_loader_next(loader, s, &got, &step), MFM_OK);
            CU_ASSERT_EQUAL(step, next[s]);
            if (delay)
                nap(delay);
            const size_t batch = mfm_feed_batch_size(feeds[s]);
            CU_ASSERT_EQUAL(mfm_feed_batch(feeds[s], worker, next[s]++, &room), MFM_OK);
            CU_ASSERT_EQUAL(got.n, (int64_t)batch);
            CU_ASSERT_EQUAL(got.images == NULL, f->streams[s].feed.no_images);
            if (got.images)
                CU_ASSERT_EQUAL(memcmp(images, got.images, batch * SIZE * sizeof(real)), 0);
            CU_ASSERT_EQUAL(memcmp(labels, got.labels, batch * sizeof(real)), 0);
            CU_ASSERT_EQUAL(memcmp(indices, got.indices, batch * sizeof *indices), 0);
            CU_ASSERT_EQUAL(got.copies != NULL, f->streams[s].feed.copies > 0);
            if (got.copies)
                CU_ASSERT_EQUAL(memcmp(copies, got.copies, batch * sizeof *copies), 0);
        }
    mfm_loader_free(f->ctx, loader);
    mfm_worker_free(f->ctx, worker);
    for (int s = 0; s < 2; s++)
        mfm_feed_free(f->ctx, feeds[s]);
}

static void compare(fixture *f, int depth, uint64_t count, uint64_t meta_every, long delay)
{
    compare_for(f, depth, 0, count, meta_every, delay);
}

static void batches_are_the_feeds_own_at_any_depth(void)
{
    fixture f;
    fixture_init(&f);
    for (int depth = 2; depth <= 5; depth++)
        compare(&f, depth, 60, 1, 0);
    fixture_clear(&f);
}

static void batches_are_the_same_for_any_number_of_workers(void)
{
    fixture f;
    fixture_init(&f);
    for (int workers = 1; workers <= 7; workers++)
        compare_for(&f, 2 + workers % 3, workers, 60, 1 + (uint64_t)workers % 2, 0);
    fixture_clear(&f);
}

/* Labels and indices, with a thread and without: the reader then prepares them itself. */
static void batches_without_images_are_the_same(void)
{
    fixture f;
    fixture_init(&f);
    f.streams[0].feed.no_images = true;
    compare_for(&f, 3, 0, 60, 1, 0);
    f.streams[1].feed.no_images = true;
    f.streams[1].feed.copies = COPIES;
    for (int workers = 0; workers <= 2; workers++)
        compare_for(&f, 3, workers, 60, 2, 0);
    fixture_clear(&f);
}

/* Each image of a batch is the copy that it says, whatever the batch; *differ: how many are not the
 * next copy, too. */
static void check_copies(const fixture *f, mfm_worker *worker, const mfm_batch *batch,
                         uint32_t *seen, int *differ)
{
    static real image[SIZE], other[SIZE];
    real label;
    for (int64_t i = 0; i < batch->n; i++) {
        const uint32_t index = batch->indices[i], copy = batch->copies[i];
        CU_ASSERT_FATAL(copy < COPIES);
        *seen |= 1u << copy;
        CU_ASSERT_EQUAL(mfm_copied_image(worker, 42, index, copy, image, &label), MFM_OK);
        CU_ASSERT_EQUAL(memcmp(image, batch->images + i * SIZE, sizeof image), 0);
        CU_ASSERT_EQUAL(label, batch->labels[i]);
        CU_ASSERT_EQUAL(label, f->labels[index]);
        CU_ASSERT_EQUAL(mfm_copied_image(worker, 42, index, (copy + 1) % COPIES, other, &label),
                        MFM_OK);
        *differ += memcmp(image, other, sizeof image) != 0;
    }
}

static void copies_are_the_same_in_every_batch(void)
{
    fixture f;
    fixture_init(&f);
    for (int s = 0; s < 2; s++)
        f.streams[s].feed.copies = COPIES;
    for (int workers = 1; workers <= 4; workers++)
        compare_for(&f, 3, workers, 20, 1, 0);
    mfm_loader *loader;
    mfm_worker *worker;
    uint32_t seen = 0;
    int differ = 0;
    CU_ASSERT_EQUAL_FATAL(mfm_worker_new(f.ctx, &f.dataset.train, &f.preprocess, &worker), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_loader_new(f.ctx, f.streams, 2, 3, 2, &loader), MFM_OK);
    for (int i = 0; i < 40; i++) {
        mfm_batch batch;
        CU_ASSERT_EQUAL_FATAL(mfm_loader_next(loader, i % 2, &batch, NULL), MFM_OK);
        check_copies(&f, worker, &batch, &seen, &differ);
    }
    CU_ASSERT_EQUAL(seen, (1u << COPIES) - 1);
    CU_ASSERT(differ > 20 * (BATCH + META_BATCH) * 9 / 10); /* of 50 forms two may be one */
    mfm_loader_free(f.ctx, loader);
    mfm_worker_free(f.ctx, worker);
    fixture_clear(&f);
}

static void a_slow_reader_gets_the_same_batches(void)
{
    fixture f;
    fixture_init(&f);
    compare(&f, 2, 20, 1, 500000);
    fixture_clear(&f);
}

static void streams_may_be_read_unevenly(void)
{
    fixture f;
    fixture_init(&f);
    compare(&f, 3, 100, 10, 0);
    fixture_clear(&f);
}

static void reading_starts_at_any_step(void)
{
    fixture f;
    fixture_init(&f);
    f.streams[0].first_step = 12345;
    f.streams[1].first_step = 678;
    compare(&f, 3, 20, 3, 0);
    fixture_clear(&f);
}

static void a_loader_stops_at_any_time(void)
{
    fixture f;
    fixture_init(&f);
    for (int i = 0; i < 100; i++) {
        mfm_loader *loader;
        mfm_batch batch;
        CU_ASSERT_EQUAL_FATAL(mfm_loader_new(f.ctx, f.streams, 2, 3, i % 4, &loader), MFM_OK);
        for (int read = 0; read < i % 5; read++)
            CU_ASSERT_EQUAL(mfm_loader_next(loader, i % 2, &batch, NULL), MFM_OK);
        if (i % 3 == 0)
            nap(100000L * (i % 7));
        mfm_loader_free(f.ctx, loader);
    }
    fixture_clear(&f);
}

/* By hand: the sampler's indices, the drawn crops, one image after the other. */
/* What an image becomes, step by step. */
static void augment_image(const fixture *f, const uint8_t *pixels, mfm_draw draw, real *expected)
{
    uint8_t room[2][SIZE];
    mfm_canvas canvas = {
        .height = SIDE, .width = SIDE, .channels = 3, .bytes = room[0], .spare = room[1]};
    memcpy(canvas.bytes, pixels, SIZE);
    mfm_augment_bytes(&f->preprocess.augment, &draw, &canvas);
    mfm_preprocess_normalise(&f->preprocess, canvas.bytes, expected);
}

static void a_feed_joins_sampler_crops_and_labels(void)
{
    fixture f;
    fixture_init(&f);
    static real images[BATCH * SIZE], expected[SIZE];
    real labels[BATCH];
    uint32_t indices[BATCH], got[BATCH];
    const mfm_batch_room room = {.images = images, .labels = labels, .indices = got};
    const mfm_sampling sampling = {.indices = f.train,
                                   .count = TRAIN,
                                   .batch = BATCH,
                                   .seed = 42,
                                   .stream = MFM_STREAM_SHUFFLE};
    mfm_feed *feed;
    mfm_sampler *sampler;
    CU_ASSERT_EQUAL_FATAL(mfm_feed_new(f.ctx, &f.streams[0].feed, &feed), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_sampler_new(f.ctx, NULL, NULL, &sampling, &sampler), MFM_OK);
    mfm_worker *worker;
    CU_ASSERT_EQUAL_FATAL(mfm_worker_new(f.ctx, &f.dataset.train, &f.preprocess, &worker), MFM_OK);
    CU_ASSERT_EQUAL(mfm_feed_batch(feed, worker, 5, &room), MFM_OK);
    mfm_worker_free(f.ctx, worker);
    mfm_sampler_batch(sampler, 5, indices);
    for (uint32_t slot = 0; slot < BATCH; slot++) {
        augment_image(&f, f.pixels + indices[slot] * SIZE,
                      (mfm_draw){42, MFM_STREAM_SHUFFLE, 5, slot}, expected);
        CU_ASSERT_EQUAL(memcmp(images + slot * SIZE, expected, sizeof expected), 0);
        CU_ASSERT_EQUAL(labels[slot], f.labels[indices[slot]]);
        CU_ASSERT_EQUAL(got[slot], indices[slot]);
    }
    mfm_sampler_free(f.ctx, sampler);
    mfm_feed_free(f.ctx, feed);
    fixture_clear(&f);
}

static void evaluation_images_are_the_images_themselves(void)
{
    fixture f;
    fixture_init(&f);
    real image[SIZE], expected[SIZE], label;
    mfm_worker *worker;
    CU_ASSERT_EQUAL_FATAL(mfm_worker_new(f.ctx, &f.dataset.train, &f.preprocess, &worker), MFM_OK);
    for (uint32_t i = 0; i < IMAGES; i++) {
        CU_ASSERT_EQUAL(mfm_evaluation_image(worker, i, image, &label), MFM_OK);
        mfm_preprocess_image(&f.preprocess, f.pixels + i * SIZE, expected);
        CU_ASSERT_EQUAL(memcmp(image, expected, sizeof expected), 0);
        CU_ASSERT_EQUAL(label, f.labels[i]);
        /* without a shift a pixel is the pixel itself */
        CU_ASSERT_DOUBLE_EQUAL(image[0], (f.pixels[i * SIZE] / 255.0 - 0.5) / 0.2, 1e-6);
    }
    mfm_worker_free(f.ctx, worker);
    fixture_clear(&f);
}

/* A source of images of its own making, of which one cannot be read. */
enum { BROKEN = 17 };

static int open_made(mfm_ctx *ctx, const void *self, void **reader)
{
    (void)self;
    *reader = mfm_alloc(ctx, SIZE, 1);
    return *reader ? MFM_OK : MFM_ENOMEM;
}

static int begin_made(void *reader, uint32_t index, mfm_picture *picture)
{
    picture->height = picture->width = SIDE;
    picture->channels = 3;
    memset(reader, (int)index, SIZE);
    if (index != BROKEN)
        return MFM_OK;
    snprintf(picture->message, sizeof picture->message, "image %u: broken", index);
    return MFM_EDATA;
}

static int pixels_made(void *reader, int reduce, mfm_picture *picture)
{
    (void)reduce;
    picture->pixels = reader;
    return MFM_OK;
}

static const mfm_source_kind made = {.open = open_made,
                                     .close = mfm_free,
                                     .begin = begin_made,
                                     .pixels = pixels_made,
                                     .decodes = true};

/* With any number of workers, all batches before the broken image arrive, and then its message
 * does, again and again. */
static void an_image_that_cannot_be_read_is_told_in_its_place(void)
{
    fixture f;
    fixture_init(&f);
    f.dataset.train = (mfm_images){.count = IMAGES, .labels = f.labels, .source = &made};
    for (uint32_t i = 0; i < TRAIN; i++)
        f.train[i] = i == 0 ? BROKEN : (i + BROKEN) % IMAGES; /* it is there once */
    uint64_t told[8];
    for (int workers = 0; workers < 8; workers++) {
        mfm_loader *loader;
        mfm_batch batch;
        CU_ASSERT_EQUAL_FATAL(mfm_loader_new(f.ctx, f.streams, 1, 4, workers, &loader), MFM_OK);
        int status;
        for (told[workers] = 0; (status = mfm_loader_next(loader, 0, &batch, NULL)) == MFM_OK;
             told[workers]++)
            for (uint32_t i = 0; i < BATCH; i++)
                CU_ASSERT(batch.indices[i] != BROKEN);
        CU_ASSERT_EQUAL(status, MFM_EDATA);
        CHECK_MESSAGE(f.ctx, "image 17: broken");
        CU_ASSERT_EQUAL(mfm_loader_next(loader, 0, &batch, NULL), MFM_EDATA);
        mfm_loader_free(f.ctx, loader);
        CU_ASSERT_EQUAL(told[workers], told[0]);
    }
    fixture_clear(&f);
}

static void refuse(fixture *f, int count, int depth, const char *message)
{
    mfm_loader *loader;
    CU_ASSERT_EQUAL(mfm_loader_new(f->ctx, f->streams, count, depth, 0, &loader), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(loader);
    CHECK_MESSAGE(f->ctx, message);
}

static void impossible_loaders_are_refused(void)
{
    fixture f;
    fixture_init(&f);
    refuse(&f, 0, 3, "0 streams");
    refuse(&f, 3, 3, "3 streams");
    refuse(&f, 2, 1, "of 1 buffers");
    refuse(&f, 2, 17, "of 17 buffers");
    f.meta[3] = IMAGES;
    refuse(&f, 2, 3, "image 50: the part has 50 images");
    f.streams[1].feed.count = 0;
    refuse(&f, 2, 3, "batches of 10 from 0 images");
    fixture_clear(&f);
}

static int make_loader(mfm_ctx *ctx, void *self)
{
    const fixture *f = self;
    mfm_loader *loader;
    const int status = mfm_loader_new(ctx, f->streams, 2, 3, 3, &loader);
    mfm_loader_free(ctx, loader);
    return status;
}

static void failing_allocations_are_reported(void)
{
    fixture f;
    fixture_init(&f);
    check_failing_allocations(make_loader, &f);
    fixture_clear(&f);
}

static const mfm_case cases[] = {
    {"augmented copies are the same in every batch", copies_are_the_same_in_every_batch},
    {"batches are the feed's own at any depth", batches_are_the_feeds_own_at_any_depth},
    {"batches are the same for any number of workers",
     batches_are_the_same_for_any_number_of_workers},
    {"batches without images are the same", batches_without_images_are_the_same},
    {"a slow reader gets the same batches", a_slow_reader_gets_the_same_batches},
    {"streams may be read unevenly", streams_may_be_read_unevenly},
    {"reading starts at any step", reading_starts_at_any_step},
    {"a loader stops at any time", a_loader_stops_at_any_time},
    {"a feed joins sampler, crops and labels", a_feed_joins_sampler_crops_and_labels},
    {"evaluation images are the images themselves", evaluation_images_are_the_images_themselves},
    {"an image that cannot be read is told in its place",
     an_image_that_cannot_be_read_is_told_in_its_place},
    {"impossible loaders are refused", impossible_loaders_are_refused},
    {"failing allocations are reported", failing_allocations_are_reported},
};

MFM_SUITE("core/data/loader", cases)
