#include "core/data/test_prior.h"

#include <string.h>

#include "tests/core/data/labels.h"

/* The labels as a test part: those of labels_init are a training part. */
static void as_test(label_set *labels)
{
    labels->dataset.test = labels->dataset.train;
}

static mfm_test_prior *draw(mfm_ctx *ctx, const label_set *labels, const mfm_prior_options *options)
{
    mfm_test_prior *prior = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_test_prior_new(ctx, &labels->dataset, options, &prior), MFM_OK);
    check_indices(labels, prior->indices, prior->count, prior->per_class);
    return prior;
}

static void expect_counts(const label_set *labels, const mfm_prior_options *options,
                          const uint32_t *counts)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_test_prior *prior = draw(ctx, labels, options);
    for (int c = 0; c < labels->dataset.classes; c++)
        CU_ASSERT_EQUAL(prior->per_class[c], counts[c]);
    mfm_test_prior_free(ctx, prior);
    mfm_ctx_free(ctx);
}

/* CIFAR's and Fashion-MNIST's 1000 images of each of ten classes, by hand: int(1000 * 10^(-i / 9))
 * is 1000, 774, 599, 464, 359, 278, 215, 166, 129, 100. */
static void the_published_sets_have_the_published_counts(void)
{
    label_set labels;
    labels_init_equal(&labels, 10, 1000);
    as_test(&labels);
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_FORWARD, .imbalance = 10},
                  (const uint32_t[]){1000, 774, 599, 464, 359, 278, 215, 166, 129, 100});
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_BACKWARD, .imbalance = 10},
                  (const uint32_t[]){100, 129, 166, 215, 278, 359, 464, 599, 774, 1000});
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_TEST1},
                  (const uint32_t[]){100, 100, 100, 100, 100, 359, 464, 599, 774, 1000});
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_UNIFORM},
                  (const uint32_t[]){1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000});
    labels_clear(&labels);
}

/* Test-2 has the same ten counts, in an order that the seed draws. */
static void the_second_set_permutes_the_counts(void)
{
    static const uint32_t counts[] = {1000, 774, 599, 464, 359, 278, 215, 166, 129, 100};
    label_set labels;
    labels_init_equal(&labels, 10, 1000);
    as_test(&labels);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    uint32_t first[10];
    for (uint64_t seed = 0; seed < 3; seed++) {
        mfm_test_prior *prior =
            draw(ctx, &labels, &(mfm_prior_options){.kind = MFM_PRIOR_TEST2, .seed = seed});
        CU_ASSERT_EQUAL(prior->count, 4084);
        for (int i = 0; i < 10; i++) {
            int found = 0;
            for (int c = 0; c < 10; c++)
                found += prior->per_class[c] == counts[i];
            CU_ASSERT_EQUAL(found, 1);
        }
        CU_ASSERT(seed == 0 || memcmp(first, prior->per_class, sizeof first) != 0);
        memcpy(first, prior->per_class, sizeof first);
        mfm_test_prior_free(ctx, prior);
    }
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

/* Of 10, 40, 20 images: 10 each; a tail of imbalance 4 from the first on, n, n / 2, n / 4 with n =
 * 10, and against the order, n = 20 for the last leaves 5 of the first and 10 of the second;
 * weights 1, 4, 2 take all, 2, 4, 0 (half of the second's number for the first) 10 and 20. */
static void a_set_is_the_largest_that_the_images_allow(void)
{
    label_set labels;
    labels_init(&labels, 3, (const uint32_t[]){10, 40, 20});
    as_test(&labels);
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_UNIFORM},
                  (const uint32_t[]){10, 10, 10});
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_FORWARD, .imbalance = 4},
                  (const uint32_t[]){10, 5, 2});
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_BACKWARD, .imbalance = 4},
                  (const uint32_t[]){5, 10, 20});
    const double all[] = {1, 4, 2}, some[] = {2, 4, 0};
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_WEIGHTS, .weights = all},
                  (const uint32_t[]){10, 40, 20});
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_WEIGHTS, .weights = some},
                  (const uint32_t[]){10, 20, 0});
    labels_clear(&labels);
}

/* Class 1 has none: it does not count. */
static void a_class_without_images_is_left_out(void)
{
    label_set labels;
    labels_init(&labels, 3, (const uint32_t[]){8, 0, 9});
    as_test(&labels);
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_UNIFORM},
                  (const uint32_t[]){8, 0, 8});
    expect_counts(&labels, &(mfm_prior_options){.kind = MFM_PRIOR_FORWARD, .imbalance = 4},
                  (const uint32_t[]){8, 0, 2});
    labels_clear(&labels);
}

static void a_seed_draws_the_same_images(void)
{
    label_set labels;
    labels_init_equal(&labels, 4, 200);
    as_test(&labels);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_prior_options zero = {.kind = MFM_PRIOR_FORWARD, .imbalance = 10},
                            one = {.kind = MFM_PRIOR_FORWARD, .imbalance = 10, .seed = 1};
    mfm_test_prior *a = draw(ctx, &labels, &zero), *b = draw(ctx, &labels, &zero);
    mfm_test_prior *c = draw(ctx, &labels, &one);
    CU_ASSERT_EQUAL(common(a->indices, a->count, b->indices, b->count), a->count);
    CU_ASSERT(common(a->indices, a->count, c->indices, c->count) < a->count);
    mfm_test_prior_free(ctx, a);
    mfm_test_prior_free(ctx, b);
    mfm_test_prior_free(ctx, c);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

static void a_class_that_would_keep_none_is_refused(void)
{
    label_set labels;
    labels_init_equal(&labels, 3, 10);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_prior_options steep = {.kind = MFM_PRIOR_FORWARD, .imbalance = 100};
    mfm_test_prior *prior = NULL;
    CU_ASSERT_EQUAL(mfm_test_prior_new(ctx, &labels.dataset, &steep, &prior), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "no test images"));
    as_test(&labels);
    CU_ASSERT_EQUAL(mfm_test_prior_new(ctx, &labels.dataset, &steep, &prior), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "class 2 (c) would keep none of its 10"));
    CU_ASSERT_PTR_NULL(prior);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

static const mfm_case cases[] = {
    {"the published sets have the published counts", the_published_sets_have_the_published_counts},
    {"the second set permutes the counts", the_second_set_permutes_the_counts},
    {"a set is the largest that the images allow", a_set_is_the_largest_that_the_images_allow},
    {"a class without images is left out", a_class_without_images_is_left_out},
    {"a seed draws the same images", a_seed_draws_the_same_images},
    {"a class that would keep none is refused", a_class_that_would_keep_none_is_refused},
};

MFM_SUITE("core/data/test_prior", cases)
