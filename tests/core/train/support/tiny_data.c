#include "tests/core/train/support/tiny_data.h"

#include "core/base/random.h"
#include "tests/suite.h"

static void must(mfm_ctx *ctx, int status)
{
    if (status)
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
}

/* Classes: rows, columns, a chequerboard, plain; with noise. */
static int brightness(int class, int y, int x)
{
    const int on[TINY_CLASSES] = {y & 2, x & 2, (y ^ x) & 2, 1};
    return on[class] ? 160 : 40;
}

static void fill(const tiny_data *d, uint32_t node, mfm_images *images, uint32_t count)
{
    const mfm_dataset *s = &d->dataset;
    const size_t size = mfm_dataset_image_size(s);
    const mfm_key key = {.seed = 1, .stream = MFM_STREAM_TEST, .node = node};
    images->count = count;
    images->pixels = mfm_alloc(d->ctx, count, size);
    images->labels = mfm_alloc(d->ctx, count, sizeof *images->labels);
    CU_ASSERT_FATAL(images->pixels && images->labels);
    for (uint32_t i = 0; i < count; i++) {
        images->labels[i] = (uint16_t)(i % TINY_CLASSES);
        for (size_t k = 0; k < size; k++) {
            const int place = (int)k / s->channels, y = place / s->width, x = place % s->width;
            const uint64_t noise = mfm_random_below(&key, i * size + k, 64);
            images->pixels[i * size + k] =
                (uint8_t)(brightness(images->labels[i], y, x) + (int)noise);
        }
    }
}

void tiny_data_new(mfm_ctx *ctx, int height, int width, int channels, tiny_data *d)
{
    *d = (tiny_data){
        .ctx = ctx,
        .dataset = {
            .height = height, .width = width, .channels = channels, .classes = TINY_CLASSES}};
    for (int c = 0; c < TINY_CLASSES; c++) {
        snprintf(d->names[c], sizeof d->names[c], "%d", c);
        d->class_names[c] = d->names[c];
    }
    d->dataset.class_names = d->class_names;
    for (int c = 0; c < channels; c++) {
        d->dataset.mean[c] = 0.5;
        d->dataset.deviation[c] = 0.25;
    }
    fill(d, 1, &d->dataset.train, TINY_CLASSES * TINY_PER_CLASS);
    fill(d, 2, &d->dataset.test, TINY_TEST);
    const mfm_split_options options = {
        .imbalance = 2, .meta_per_class = TINY_META, .meta_from = MFM_META_DISJOINT, .seed = 3};
    must(ctx, mfm_split_new(ctx, &d->dataset, &options, &d->split));
    mfm_augment augment;
    must(ctx, mfm_augment_read(ctx, "shift:1,flip", MFM_BORDER_ZERO, &augment));
    must(ctx, mfm_preprocess_init(ctx, &d->dataset, channels, height, width, false, NULL, &augment,
                                  &d->preprocess));
}

static void clear_images(mfm_ctx *ctx, mfm_images *images)
{
    mfm_free(ctx, images->pixels);
    mfm_free(ctx, images->labels);
}

void tiny_data_clear(tiny_data *d)
{
    mfm_split_free(d->ctx, d->split);
    clear_images(d->ctx, &d->dataset.train);
    clear_images(d->ctx, &d->dataset.test);
}

mfm_train_data tiny_data_parts(const tiny_data *d)
{
    return (mfm_train_data){&d->dataset, d->split, &d->preprocess};
}
