#include "core/data/feed.h"

struct mfm_feed {
    mfm_feed_options options; /* indices are the sampler's from then on */
    mfm_sampler *sampler;
    uint32_t *chosen; /* [batch] */
};

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
    feed->options.indices = NULL;
    int status = mfm_sampler_new(ctx, options->indices, options->count, options->batch,
                                 options->seed, options->stream, &feed->sampler);
    if (status == MFM_OK) {
        feed->chosen = mfm_alloc(ctx, options->batch, sizeof *feed->chosen);
        status = feed->chosen ? MFM_OK : MFM_ENOMEM;
    }
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
    mfm_free(ctx, feed->chosen);
    mfm_free(ctx, feed);
}

size_t mfm_feed_size(const mfm_feed *feed)
{
    return feed->options.batch * mfm_preprocess_size(feed->options.preprocess);
}

uint32_t mfm_feed_batch_size(const mfm_feed *feed)
{
    return feed->options.batch;
}

static const uint8_t *pixels_of(const mfm_images *images, const mfm_preprocess *preprocess,
                                uint32_t index)
{
    return images->pixels + (size_t)index * (size_t)preprocess->source_height *
                                (size_t)preprocess->source_width *
                                (size_t)preprocess->source_channels;
}

void mfm_feed_batch(mfm_feed *feed, uint64_t step, real *images, real *labels)
{
    const mfm_feed_options *options = &feed->options;
    const mfm_preprocess *preprocess = options->preprocess;
    const size_t size = mfm_preprocess_size(preprocess);
    mfm_sampler_batch(feed->sampler, step, feed->chosen);
    for (uint32_t slot = 0; slot < options->batch; slot++) {
        const uint32_t index = feed->chosen[slot];
        const mfm_crop crop = mfm_crop_draw(&preprocess->augment, options->seed,
                                            (uint32_t)options->stream, step, slot);
        mfm_preprocess_image(preprocess, crop, pixels_of(options->images, preprocess, index),
                             images + slot * size);
        labels[slot] = options->images->labels[index];
    }
}

uint32_t mfm_evaluation_batch(const mfm_images *images, const mfm_preprocess *preprocess,
                              uint32_t first, uint32_t batch, real *out, real *labels)
{
    const uint32_t left = first < images->count ? images->count - first : 0;
    const uint32_t count = batch < left ? batch : left;
    const size_t size = mfm_preprocess_size(preprocess);
    const mfm_crop centre = mfm_crop_centre(&preprocess->augment);
    for (uint32_t i = 0; i < count; i++) {
        mfm_preprocess_image(preprocess, centre, pixels_of(images, preprocess, first + i),
                             out + i * size);
        labels[i] = images->labels[first + i];
    }
    return count;
}
