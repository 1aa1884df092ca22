#include "core/data/feed.h"

#include <string.h>

#include "core/data/images/fit_picture.h"
#include "core/data/sources/source.h"

struct mfm_feed {
    mfm_feed_options options; /* indices are the sampler's from then on */
    mfm_sampler *sampler;
    uint32_t *drawn;   /* [batch] the sampler's, of the batch in preparation */
    uint32_t first, n; /* the samples of the share */
    /* For mixing, else NULL. `slots` images before they are mixed, and their labels: the share's,
     * then, of a share that is a part, those that each is mixed with, in the same order. */
    real *before, *labels;
    uint32_t *partner; /* [batch] the place in the batch of what each is mixed with */
    uint32_t *other;   /* [n] the same among those images */
    uint32_t slots;
};

static int make_sampler(mfm_ctx *ctx, mfm_feed *feed)
{
    const mfm_feed_options *o = &feed->options;
    const mfm_sampling sampling = {.indices = o->indices,
                                   .labels = o->images->labels,
                                   .count = o->count,
                                   .batch = o->batch,
                                   .epochs = o->epochs,
                                   .seed = o->seed,
                                   .stream = o->stream,
                                   .defer = o->defer};
    return mfm_sampler_new(ctx, o->sampler, o->chosen, &sampling, &feed->sampler);
}

static int make_room(mfm_ctx *ctx, mfm_feed *feed)
{
    const mfm_feed_options *o = &feed->options;
    feed->drawn = mfm_alloc(ctx, o->batch, sizeof *feed->drawn);
    if (!feed->drawn)
        return MFM_ENOMEM;
    if (!o->mixing)
        return MFM_OK;
    feed->slots = feed->n < o->batch ? 2 * feed->n : feed->n;
    const size_t size = feed->slots * mfm_preprocess_size(o->preprocess);
    feed->before = mfm_alloc_aligned(ctx, size, sizeof *feed->before);
    feed->labels = mfm_alloc_aligned(ctx, feed->slots, sizeof *feed->labels);
    feed->partner = mfm_alloc(ctx, o->batch, sizeof *feed->partner);
    feed->other = mfm_alloc(ctx, feed->n, sizeof *feed->other);
    return feed->before && feed->labels && feed->partner && feed->other ? MFM_OK : MFM_ENOMEM;
}

int mfm_feed_new(mfm_ctx *ctx, const mfm_feed_options *options, mfm_feed **result)
{
    *result = NULL;
    for (uint32_t i = 0; i < options->count; i++)
        if (options->indices[i] >= options->images->count)
            return mfm_fail(ctx, MFM_EINVAL, "batches: image %u: the part has %u images",
                            options->indices[i], options->images->count);
    mfm_feed *feed = mfm_alloc(ctx, 1, sizeof *feed);
    if (!feed)
        return MFM_ENOMEM;
    feed->options = *options;
    if (feed->options.share.samples == 0)
        feed->options.share = mfm_share_whole(options->batch);
    feed->first = (uint32_t)mfm_share_first(&feed->options.share);
    feed->n = feed->slots = (uint32_t)mfm_share_count(&feed->options.share);
    int status = make_sampler(ctx, feed);
    feed->options.indices = NULL;
    if (!status)
        status = make_room(ctx, feed);
    if (status != MFM_OK) {
        mfm_feed_free(ctx, feed);
        return status;
    }
    *result = feed;
    return MFM_OK;
}

void mfm_feed_free(mfm_ctx *ctx, mfm_feed *feed)
{
    if (!feed)
        return;
    mfm_sampler_free(ctx, feed->sampler);
    mfm_free_aligned(ctx, feed->before);
    mfm_free(ctx, feed->drawn);
    mfm_free_aligned(ctx, feed->labels);
    mfm_free(ctx, feed->partner);
    mfm_free(ctx, feed->other);
    mfm_free(ctx, feed);
}

size_t mfm_feed_size(const mfm_feed *feed)
{
    const mfm_feed_options *o = &feed->options;
    return o->no_images ? 0 : feed->n * mfm_preprocess_size(o->preprocess);
}

size_t mfm_feed_soft_size(const mfm_feed *feed)
{
    return feed->options.mixing ? feed->n * (size_t)feed->options.classes : 0;
}

const mfm_images *mfm_feed_images(const mfm_feed *feed)
{
    return feed->options.images;
}

uint32_t mfm_feed_batch_size(const mfm_feed *feed)
{
    return feed->n;
}

uint32_t mfm_feed_slots(const mfm_feed *feed)
{
    return feed->slots;
}

/* ---- one image ---- */

struct mfm_worker {
    const mfm_images *images;
    const mfm_preprocess *preprocess;
    mfm_reader *reader;
    mfm_fitting fitting; /* of pictures of any size */
    uint8_t *bytes;      /* what becomes of one; NULL: none is resized */
    uint8_t *canvas[2];  /* [height, width, channels] while one is augmented; NULL: none is */
};

int mfm_worker_new(mfm_ctx *ctx, const mfm_images *images, const mfm_preprocess *preprocess,
                   mfm_worker **result)
{
    *result = NULL;
    mfm_worker *worker = mfm_alloc(ctx, 1, sizeof *worker);
    if (!worker)
        return MFM_ENOMEM;
    *worker = (mfm_worker){.images = images, .preprocess = preprocess};
    int status = mfm_reader_open(ctx, images, preprocess->image_height, preprocess->image_width,
                                 preprocess->image_channels, &worker->reader);
    if (status == MFM_OK && preprocess->resizes) {
        worker->bytes = mfm_alloc(ctx, mfm_fitted_size(preprocess), 1);
        status = worker->bytes ? MFM_OK : MFM_ENOMEM;
    }
    for (int i = 0; status == MFM_OK && i < 2 && preprocess->augment.count > 0; i++) {
        worker->canvas[i] = mfm_alloc(ctx, mfm_preprocess_size(preprocess), 1);
        status = worker->canvas[i] ? MFM_OK : MFM_ENOMEM;
    }
    if (status != MFM_OK) {
        mfm_worker_free(ctx, worker);
        return status;
    }
    *result = worker;
    return MFM_OK;
}

void mfm_worker_free(mfm_ctx *ctx, mfm_worker *worker)
{
    if (!worker)
        return;
    mfm_reader_close(ctx, worker->reader);
    mfm_fitting_clear(&worker->fitting);
    mfm_free(ctx, worker->bytes);
    mfm_free(ctx, worker->canvas[0]);
    mfm_free(ctx, worker->canvas[1]);
    mfm_free(ctx, worker);
}

const char *mfm_worker_message(const mfm_worker *worker)
{
    return mfm_reader_picture(worker->reader)->message;
}

static int fit_image(mfm_worker *worker, const mfm_draw *draw)
{
    const mfm_preprocess *p = worker->preprocess;
    const mfm_picture *picture = mfm_reader_picture(worker->reader);
    const mfm_fit fit = mfm_fit_choose(p, picture->height, picture->width, draw);
    int status = mfm_reader_pixels(worker->reader, fit.reduce);
    if (status != MFM_OK)
        return status;
    status = mfm_fit_picture(&worker->fitting, p, &fit, picture, worker->bytes);
    if (status != MFM_OK)
        mfm_reader_tell(worker->reader, "out of memory for resizing");
    return status;
}

/* Changes between the bytes of the model's form and its numbers. */
static void augment(mfm_worker *worker, const uint8_t *pixels, const mfm_draw *draw, real *out)
{
    const mfm_preprocess *p = worker->preprocess;
    mfm_canvas canvas = {.height = p->height,
                         .width = p->width,
                         .channels = p->channels,
                         .bytes = worker->canvas[0],
                         .spare = worker->canvas[1],
                         .border = p->augment.border};
    mfm_preprocess_pad(p, pixels, canvas.bytes);
    mfm_augment_bytes(&p->augment, draw, &canvas);
    mfm_preprocess_normalise(p, canvas.bytes, out);
    mfm_augment_numbers(&p->augment, draw, p->height, p->width, p->channels, out);
}

/* draw NULL: without augmentation. */
static int read_image(mfm_worker *worker, uint32_t index, const mfm_draw *draw, real *out)
{
    const mfm_preprocess *p = worker->preprocess;
    const uint8_t *pixels = worker->bytes;
    int status = mfm_reader_begin(worker->reader, index);
    if (status == MFM_OK && p->resizes) {
        status = fit_image(worker, draw);
    } else if (status == MFM_OK) {
        status = mfm_reader_pixels(worker->reader, 1);
        pixels = mfm_reader_picture(worker->reader)->pixels;
    }
    if (status != MFM_OK)
        return status;
    if (p->array)
        mfm_array_form_row(p->array, mfm_reader_picture(worker->reader)->numbers, out);
    else if (draw && p->augment.count > 0)
        augment(worker, pixels, draw, out);
    else
        mfm_preprocess_image(p, pixels, out);
    return MFM_OK;
}

int mfm_evaluation_image(mfm_worker *worker, uint32_t index, real *out, real *label)
{
    *label = worker->images->labels[index];
    return read_image(worker, index, NULL, out);
}

/* What is drawn for a copy depends on neither step nor place in a batch. */
static mfm_draw draw_of_copy(uint64_t seed, uint32_t index, uint32_t copy)
{
    return (mfm_draw){.seed = seed, .node = MFM_STREAM_COPIES, .step = copy, .slot = index};
}

int mfm_copied_image(mfm_worker *worker, uint64_t seed, uint32_t index, uint32_t copy, real *out,
                     real *label)
{
    const mfm_draw draw = draw_of_copy(seed, index, copy);
    *label = worker->images->labels[index];
    return read_image(worker, index, &draw, out);
}

/* ---- a batch ---- */

bool mfm_feed_plain(const mfm_feed_options *options)
{
    return options->preprocess->augment.count == 0 && !options->mixing;
}

/* Draws of the mixing have nodes of their own: the permutation, and what the form itself draws. */
enum { NODE_OTHER = 2, NODE_FORM };

static void mix(const mfm_feed *feed, uint64_t step, const mfm_batch_room *room)
{
    const mfm_feed_options *o = &feed->options;
    memcpy(feed->before, room->images, mfm_feed_size(feed) * sizeof *feed->before);
    memset(room->soft_labels, 0, mfm_feed_soft_size(feed) * sizeof *room->soft_labels);
    memcpy(feed->labels, room->labels, feed->n * sizeof *feed->labels);
    const mfm_mix m = {.n = feed->n,
                       .classes = o->classes,
                       .height = o->preprocess->height,
                       .width = o->preprocess->width,
                       .channels = o->preprocess->channels,
                       .before = feed->before,
                       .labels = feed->labels,
                       .other = feed->other,
                       .counts = o->counts,
                       .key = {o->seed, o->stream, NODE_FORM, step},
                       .images = room->images,
                       .soft_labels = room->soft_labels};
    const mfm_settings *settings = o->mixing->settings[0];
    o->mixing->mix(&m, settings ? mfm_values_of(o->chosen, settings) : NULL);
}

/* The images that those of the share are mixed with: all stand in the batch, or each in a slot of
 * its own behind them. */
static void choose_partners(mfm_feed *feed, uint64_t step)
{
    const mfm_feed_options *o = &feed->options;
    const mfm_key order = {o->seed, o->stream, NODE_OTHER, step};
    for (uint32_t i = 0; i < o->batch; i++)
        feed->partner[i] = i;
    mfm_random_shuffle(&order, feed->partner, o->batch);
    for (uint32_t i = 0; i < feed->n; i++)
        feed->other[i] = feed->slots > feed->n ? feed->n + i : feed->partner[i];
}

void mfm_feed_choose(mfm_feed *feed, uint64_t step)
{
    mfm_sampler_batch(feed->sampler, step, feed->drawn);
    if (feed->options.mixing)
        choose_partners(feed, step);
}

/* Which copy of an image a batch reads. */
static uint32_t choose_copy(const mfm_feed_options *o, uint64_t step, uint32_t index)
{
    const mfm_key key = {o->seed, MFM_STREAM_COPIES, (uint32_t)o->stream, step};
    return (uint32_t)mfm_random_below(&key, index, o->copies);
}

/* Of an image that nobody reads. */
static int look_up(mfm_worker *worker, uint32_t index)
{
    if (!mfm_images_left_out(worker->images, index))
        return MFM_OK;
    mfm_reader_tell(worker->reader, "none of the images of a batch can be read");
    return MFM_EDATA;
}

/* What becomes of one place of the batch. An image that is left out is replaced by the next of the
 * batch that can be read, which depends on nothing but the batch. */
typedef struct slot {
    real *image, *label;
    uint32_t index, copy;
} slot;

static int fill_place(const mfm_feed *feed, mfm_worker *worker, uint64_t step, uint32_t place,
                      slot *to)
{
    const mfm_feed_options *o = &feed->options;
    mfm_draw draw = {o->seed, (uint32_t)o->stream, step, place};
    int status = MFM_OK;
    for (uint32_t k = 0; k < o->batch; k++) {
        to->index = feed->drawn[(place + k) % o->batch];
        if (o->copies) {
            to->copy = choose_copy(o, step, to->index);
            draw = draw_of_copy(o->seed, to->index, to->copy);
        }
        status = o->no_images ? look_up(worker, to->index)
                              : read_image(worker, to->index, &draw, to->image);
        *to->label = o->images->labels[to->index];
        if (!mfm_images_skip(o->images, status))
            break;
    }
    return status;
}

static int fill_slot(const mfm_feed *feed, mfm_worker *worker, uint64_t step, uint32_t at,
                     const mfm_batch_room *room)
{
    const size_t size = mfm_preprocess_size(feed->options.preprocess);
    const bool own = at < feed->n;
    slot to = {.image = (own ? room->images : feed->before) + at * size,
               .label = (own ? room->labels : feed->labels) + at};
    const uint32_t place = own ? feed->first + at : feed->partner[feed->first + at - feed->n];
    const int status = fill_place(feed, worker, step, place, &to);
    if (own)
        room->indices[at] = to.index;
    if (own && feed->options.copies)
        room->copies[at] = to.copy;
    return status;
}

int mfm_feed_fill(const mfm_feed *feed, mfm_worker *worker, uint64_t step, uint32_t first,
                  uint32_t count, const mfm_batch_room *room)
{
    int status = MFM_OK;
    for (uint32_t at = first; status == MFM_OK && at < first + count; at++)
        status = fill_slot(feed, worker, step, at, room);
    return status;
}

void mfm_feed_finish(mfm_feed *feed, uint64_t step, const mfm_batch_room *room)
{
    if (feed->options.mixing)
        mix(feed, step, room);
}

int mfm_feed_batch(mfm_feed *feed, mfm_worker *worker, uint64_t step, const mfm_batch_room *room)
{
    mfm_feed_choose(feed, step);
    const int status = mfm_feed_fill(feed, worker, step, 0, feed->slots, room);
    if (status == MFM_OK)
        mfm_feed_finish(feed, step, room);
    return status;
}
