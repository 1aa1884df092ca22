/* Samplers that draw classes: how often each class comes, against their formulas. */
#include <math.h>
#include <string.h>

#include "core/data/samplers/sampler.h"
#include "tests/core/data/support.h"

enum { CLASSES = 4, IMAGES = 40, BATCH = 50, STEPS = 400 };

/* 25, 10, 4 and 1 images; class 2's lie between the others'. Indices are apart from places. */
static const uint32_t counts[CLASSES] = {25, 10, 4, 1};

typedef struct set {
    uint32_t indices[IMAGES];
    uint16_t labels[2 * IMAGES];
} set;

static void set_init(set *s)
{
    uint32_t left[CLASSES] = {25, 10, 4, 1};
    for (uint32_t i = 0, c = 0; i < IMAGES; c = (c + 1) % CLASSES) {
        if (!left[c])
            continue;
        left[c]--;
        s->indices[i] = 2 * i + 1;
        s->labels[2 * i] = 3; /* not in the set */
        s->labels[2 * i + 1] = (uint16_t)c;
        i++;
    }
}

static mfm_sampler *begin(mfm_ctx *ctx, const set *s, const char *name, uint32_t epochs,
                          uint32_t defer)
{
    const mfm_sampling sampling = {.indices = s->indices,
                                   .labels = s->labels,
                                   .count = IMAGES,
                                   .batch = BATCH,
                                   .epochs = epochs,
                                   .seed = 5,
                                   .stream = MFM_STREAM_SHUFFLE,
                                   .defer = defer};
    mfm_sampler *sampler;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mfm_sampler_find(name));
    CU_ASSERT_EQUAL_FATAL(mfm_sampler_new(ctx, mfm_sampler_find(name), NULL, &sampling, &sampler),
                          MFM_OK);
    return sampler;
}

/* Shares of the classes over steps first .. first + count - 1, and the worst deviation of any
 * image's share from that of its class. */
static void measure(mfm_sampler *sampler, const set *s, uint64_t first, uint64_t count,
                    double shares[CLASSES], double *uneven)
{
    uint32_t batch[BATCH], seen[2 * IMAGES] = {0};
    double of_class[CLASSES] = {0};
    for (uint64_t step = first; step < first + count; step++) {
        mfm_sampler_batch(sampler, step, batch);
        for (int i = 0; i < BATCH; i++) {
            CU_ASSERT_EQUAL_FATAL(batch[i] % 2, 1);
            CU_ASSERT_FATAL(batch[i] < 2 * IMAGES);
            seen[batch[i]]++;
            of_class[s->labels[batch[i]]]++;
        }
    }
    const double all = (double)count * BATCH;
    *uneven = 0;
    for (int c = 0; c < CLASSES; c++)
        shares[c] = of_class[c] / all;
    for (int i = 1; i < 2 * IMAGES; i += 2) {
        const double even = shares[s->labels[i]] / counts[s->labels[i]];
        *uneven = fmax(*uneven, fabs(seen[i] / all - even));
    }
}

/* 20000 draws: a share is off by less than five deviations of at most sqrt(1/4 / 20000). */
static void expect_shares(const char *name, const double wanted[CLASSES])
{
    set s;
    set_init(&s);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_sampler *sampler = begin(ctx, &s, name, 2, 0);
    double shares[CLASSES], uneven;
    measure(sampler, &s, 0, STEPS, shares, &uneven);
    for (int c = 0; c < CLASSES; c++)
        CU_ASSERT_DOUBLE_EQUAL(shares[c], wanted[c], 0.018);
    CU_ASSERT(uneven < 0.01);
    mfm_sampler_free(ctx, sampler);
    mfm_ctx_free(ctx);
}

static void class_balanced_draws_every_class_alike(void)
{
    expect_shares("class-balanced", (double[]){0.25, 0.25, 0.25, 0.25});
}

/* 5 : sqrt(10) : 2 : 1 */
static void square_root_draws_by_the_root_of_the_count(void)
{
    const double sum = 8 + sqrt(10);
    expect_shares("square-root", (double[]){5 / sum, sqrt(10) / sum, 2 / sum, 1 / sum});
}

/* 1/25 : 1/10 : 1/4 : 1 = 4 : 10 : 25 : 100 */
static void reversed_draws_by_the_inverse_of_the_count(void)
{
    expect_shares("reversed", (double[]){4 / 139.0, 10 / 139.0, 25 / 139.0, 100 / 139.0});
}

/* Of a million epochs the first few hundred have the images' shares, those of the middle the mean
 * of both, the last equal ones. */
static void progressive_goes_from_images_to_classes(void)
{
    set s;
    set_init(&s);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    double shares[CLASSES], uneven;
    mfm_sampler *sampler = begin(ctx, &s, "progressive", 1000001, 0);
    measure(sampler, &s, 0, STEPS, shares, &uneven);
    for (int c = 0; c < CLASSES; c++)
        CU_ASSERT_DOUBLE_EQUAL(shares[c], counts[c] / 40.0, 0.018);
    measure(sampler, &s, 400000, STEPS, shares, &uneven); /* epoch 500000 on */
    for (int c = 0; c < CLASSES; c++)
        CU_ASSERT_DOUBLE_EQUAL(shares[c], counts[c] / 80.0 + 0.125, 0.018);
    measure(sampler, &s, 800000, STEPS, shares, &uneven);
    for (int c = 0; c < CLASSES; c++)
        CU_ASSERT_DOUBLE_EQUAL(shares[c], 0.25, 0.018);
    mfm_sampler_free(ctx, sampler);
    mfm_ctx_free(ctx);
}

static void every_sampler_is_a_function_of_the_step(void)
{
    set s;
    set_init(&s);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (int k = 0; mfm_samplers[k]; k++) {
        mfm_sampler *a = begin(ctx, &s, mfm_samplers[k]->name, 9, 3);
        mfm_sampler *b = begin(ctx, &s, mfm_samplers[k]->name, 9, 3);
        uint32_t forwards[8][BATCH], backwards[BATCH];
        for (uint64_t step = 0; step < 8; step++)
            mfm_sampler_batch(a, step, forwards[step]);
        for (uint64_t step = 8; step-- > 0;) {
            mfm_sampler_batch(b, step, backwards);
            CU_ASSERT_EQUAL(memcmp(forwards[step], backwards, sizeof backwards), 0);
        }
        mfm_sampler_free(ctx, a);
        mfm_sampler_free(ctx, b);
    }
    mfm_ctx_free(ctx);
}

/* Epoch 3 begins with step 3 (120 / 50, rounded up): until then batches are the shuffle's own. */
static void a_deferred_sampler_shuffles_first(void)
{
    set s;
    set_init(&s);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_sampler *late = begin(ctx, &s, "reversed", 9, 3);
    mfm_sampler *shuffle = begin(ctx, &s, "shuffle", 9, 0);
    mfm_sampler *reversed = begin(ctx, &s, "reversed", 9, 0);
    uint32_t got[BATCH], wanted[BATCH];
    for (uint64_t step = 0; step < 6; step++) {
        mfm_sampler_batch(late, step, got);
        mfm_sampler_batch(step < 3 ? shuffle : reversed, step, wanted);
        CU_ASSERT_EQUAL(memcmp(got, wanted, sizeof got), 0);
    }
    mfm_sampler_free(ctx, late);
    mfm_sampler_free(ctx, shuffle);
    mfm_sampler_free(ctx, reversed);
    mfm_ctx_free(ctx);
}

/* 4 classes of 25, 10, 4 and 1 images, batches of 50: each four slots in a row, from the first on,
 * are one image of each class; and of the draws of a class, each as many in a row as it has images
 * are all of its images. */
static void class_aware_takes_classes_and_images_in_turn(void)
{
    enum { STEPS_HERE = 8, SLOTS = BATCH * STEPS_HERE };
    set s;
    set_init(&s);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_sampler *sampler = begin(ctx, &s, "class-aware", 1, 0);
    static uint32_t all[SLOTS], of_class[CLASSES][SLOTS];
    uint32_t drawn[CLASSES] = {0}, orders = 0;
    for (uint64_t step = 0; step < STEPS_HERE; step++)
        mfm_sampler_batch(sampler, step, all + step * BATCH);
    for (int i = 0; i < SLOTS; i++) {
        const uint16_t c = s.labels[all[i]];
        of_class[c][drawn[c]++] = all[i];
        CU_ASSERT_EQUAL(drawn[c], (uint32_t)i / CLASSES + 1);
        orders += i >= CLASSES && c != s.labels[all[i - CLASSES]];
    }
    CU_ASSERT(orders > SLOTS / 4); /* the order of the classes changes */
    for (int c = 0; c < CLASSES; c++)
        for (uint32_t first = 0; first + counts[c] <= drawn[c]; first += counts[c]) {
            bool seen[2 * IMAGES] = {false};
            for (uint32_t i = first; i < first + counts[c]; i++) {
                CU_ASSERT_FALSE(seen[of_class[c][i]]);
                seen[of_class[c][i]] = true;
            }
        }
    CU_ASSERT(memcmp(of_class[0], of_class[0] + 25, 25 * sizeof(uint32_t)) != 0);
    mfm_sampler_free(ctx, sampler);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"class-balanced draws every class alike", class_balanced_draws_every_class_alike},
    {"class-aware takes classes and images in turn", class_aware_takes_classes_and_images_in_turn},
    {"square-root draws by the root of the count", square_root_draws_by_the_root_of_the_count},
    {"reversed draws by the inverse of the count", reversed_draws_by_the_inverse_of_the_count},
    {"progressive goes from images to classes", progressive_goes_from_images_to_classes},
    {"every sampler is a function of the step", every_sampler_is_a_function_of_the_step},
    {"a deferred sampler shuffles first", a_deferred_sampler_shuffles_first},
};
MFM_SUITE("core/data/samplers", cases)
