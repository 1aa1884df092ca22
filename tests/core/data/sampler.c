#include "core/data/samplers/sampler.h"

#include <string.h>

#include "tests/core/data/support.h"

enum { COUNT = 23, BATCH = 5, LENGTH = 40 * COUNT };

/* Indices far apart, so that a place mistaken for an index shows. */
static void fill_indices(uint32_t *indices, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        indices[i] = 1000 + 7 * i;
}

static mfm_sampler *sampler_of(mfm_ctx *ctx, uint32_t count, uint32_t batch, uint64_t seed,
                               enum mfm_stream stream)
{
    uint32_t indices[COUNT];
    mfm_sampler *sampler;
    fill_indices(indices, count);
    const mfm_sampling sampling = {
        .indices = indices, .count = count, .batch = batch, .seed = seed, .stream = stream};
    CU_ASSERT_EQUAL_FATAL(mfm_sampler_new(ctx, NULL, NULL, &sampling, &sampler), MFM_OK);
    return sampler;
}

/* The first LENGTH images, in batches of the size given. */
static void draw(uint32_t batch, uint64_t seed, enum mfm_stream stream, uint32_t *sequence)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_sampler *sampler = sampler_of(ctx, COUNT, batch, seed, stream);
    for (uint64_t step = 0; step * batch < LENGTH; step++)
        mfm_sampler_batch(sampler, step, sequence + step * batch);
    mfm_sampler_free(ctx, sampler);
    mfm_ctx_free(ctx);
}

static void every_permutation_holds_every_image_once(void)
{
    uint32_t sequence[LENGTH + BATCH];
    draw(BATCH, 3, MFM_STREAM_SHUFFLE, sequence);
    for (int epoch = 0; epoch < LENGTH / COUNT; epoch++) {
        int seen[COUNT] = {0};
        for (int i = 0; i < COUNT; i++) {
            const uint32_t index = sequence[epoch * COUNT + i];
            CU_ASSERT_FATAL(index >= 1000 && (index - 1000) % 7 == 0 && (index - 1000) / 7 < COUNT);
            seen[(index - 1000) / 7]++;
        }
        for (int i = 0; i < COUNT; i++)
            CU_ASSERT_EQUAL(seen[i], 1);
    }
}

static void permutations_differ(void)
{
    uint32_t sequence[LENGTH + BATCH];
    draw(BATCH, 3, MFM_STREAM_SHUFFLE, sequence);
    for (int epoch = 1; epoch < LENGTH / COUNT; epoch++)
        CU_ASSERT_NOT_EQUAL(memcmp(sequence + (epoch - 1) * COUNT, sequence + epoch * COUNT,
                                   COUNT * sizeof *sequence),
                            0);
}

static void the_batch_size_cuts_one_sequence(void)
{
    uint32_t small[LENGTH + BATCH], large[LENGTH + 2 * COUNT];
    draw(BATCH, 8, MFM_STREAM_META, small);
    draw(2 * COUNT - 1, 8, MFM_STREAM_META, large);
    CU_ASSERT_EQUAL(memcmp(small, large, LENGTH * sizeof *small), 0);
}

static void seeds_and_streams_differ(void)
{
    uint32_t a[LENGTH + BATCH], b[LENGTH + BATCH], c[LENGTH + BATCH];
    draw(BATCH, 1, MFM_STREAM_SHUFFLE, a);
    draw(BATCH, 2, MFM_STREAM_SHUFFLE, b);
    draw(BATCH, 1, MFM_STREAM_META, c);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, COUNT * sizeof *a), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(a, c, COUNT * sizeof *a), 0);
}

static void a_step_is_the_same_from_anywhere(void)
{
    uint32_t sequence[LENGTH + BATCH], batch[BATCH];
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    draw(BATCH, 3, MFM_STREAM_SHUFFLE, sequence);
    mfm_sampler *sampler = sampler_of(ctx, COUNT, BATCH, 3, MFM_STREAM_SHUFFLE);
    for (uint64_t i = 0; i < 100; i++) {
        const uint64_t step = (i * 61) % (LENGTH / BATCH);
        mfm_sampler_batch(sampler, step, batch);
        CU_ASSERT_EQUAL(memcmp(batch, sequence + step * BATCH, sizeof batch), 0);
    }
    mfm_sampler_free(ctx, sampler);
    mfm_ctx_free(ctx);
}

static void first_images_are_drawn_evenly(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_sampler *sampler = sampler_of(ctx, 4, 4, 11, MFM_STREAM_SHUFFLE);
    int first[4] = {0};
    for (uint64_t step = 0; step < 4000; step++) {
        uint32_t batch[4];
        mfm_sampler_batch(sampler, step, batch);
        first[(batch[0] - 1000) / 7]++;
    }
    for (int i = 0; i < 4; i++) /* 1000 on average, deviation 27 */
        CU_ASSERT(first[i] > 850 && first[i] < 1150);
    mfm_sampler_free(ctx, sampler);
    mfm_ctx_free(ctx);
}

/* 23 images in batches of 5: epoch 1 begins at image 23, in step 4, so with step 5. */
static void epochs_are_counted_in_images(void)
{
    CU_ASSERT_EQUAL(mfm_epoch_first_step(0, 23, 5), 0);
    CU_ASSERT_EQUAL(mfm_epoch_first_step(1, 23, 5), 5);
    CU_ASSERT_EQUAL(mfm_epoch_first_step(2, 23, 5), 10);
    CU_ASSERT_EQUAL(mfm_epoch_first_step(3, 23, 5), 14);
    CU_ASSERT_EQUAL(mfm_epoch_first_step(5, 23, 5), 23);
    CU_ASSERT_EQUAL(mfm_epoch_first_step(200, 60000, 100), 120000);
    for (uint64_t epoch = 0; epoch < 50; epoch++) {
        const uint64_t step = mfm_epoch_first_step(epoch, 23, 5);
        CU_ASSERT_EQUAL(mfm_epoch_of_step(step, 23, 5), epoch);
        CU_ASSERT(step == 0 || mfm_epoch_of_step(step - 1, 23, 5) == epoch - 1);
    }
}

static void empty_sets_and_batches_are_refused(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const uint32_t index = 0;
    mfm_sampler *sampler;
    const mfm_sampling no_images = {.indices = &index, .batch = 1};
    const mfm_sampling no_batch = {.indices = &index, .count = 1};
    CU_ASSERT_EQUAL(mfm_sampler_new(ctx, NULL, NULL, &no_images, &sampler), MFM_EINVAL);
    CU_ASSERT_EQUAL(mfm_sampler_new(ctx, NULL, NULL, &no_batch, &sampler), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(sampler);
    mfm_ctx_free(ctx);
}

static int make_sampler(mfm_ctx *ctx, void *indices)
{
    static const uint16_t labels[7] = {0, 0, 0, 0, 1, 0, 1};
    const mfm_sampling sampling = {.indices = indices,
                                   .labels = labels,
                                   .count = 3,
                                   .batch = 2,
                                   .epochs = 2,
                                   .stream = MFM_STREAM_META,
                                   .defer = 1};
    int status = MFM_OK;
    for (int i = 0; mfm_samplers[i] && !status; i++) {
        mfm_sampler *sampler;
        status = mfm_sampler_new(ctx, mfm_samplers[i], NULL, &sampling, &sampler);
        mfm_sampler_free(ctx, sampler);
    }
    return status;
}

static void failing_allocations_are_reported(void)
{
    uint32_t indices[3] = {4, 5, 6};
    check_failing_allocations(make_sampler, indices);
}

static const mfm_case cases[] = {
    {"every permutation holds every image once", every_permutation_holds_every_image_once},
    {"permutations differ", permutations_differ},
    {"the batch size cuts one sequence", the_batch_size_cuts_one_sequence},
    {"seeds and streams differ", seeds_and_streams_differ},
    {"a step is the same from anywhere", a_step_is_the_same_from_anywhere},
    {"first images are drawn evenly", first_images_are_drawn_evenly},
    {"epochs are counted in images", epochs_are_counted_in_images},
    {"empty sets and batches are refused", empty_sets_and_batches_are_refused},
    {"failing allocations are reported", failing_allocations_are_reported},
};

MFM_SUITE("core/data/sampler", cases)
