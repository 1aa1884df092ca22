#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/core/data/labels.h"

typedef struct expected {
    uint32_t n_max;
    int classes;
    double imbalance;
    uint32_t total, smallest;
} expected;

static const expected table[] = {
    {5000, 10, 10, 20431, 500}, {5000, 10, 50, 13996, 100}, {5000, 10, 100, 12406, 50},
    {5000, 10, 200, 11203, 25}, {4990, 10, 10, 20391, 499}, {4990, 10, 50, 13967, 99},
    {4990, 10, 100, 12380, 49}, {4990, 10, 200, 11177, 24}, {500, 100, 10, 19573, 50},
    {500, 100, 50, 12608, 10},  {500, 100, 100, 10847, 5},  {500, 100, 200, 9502, 2},
    {490, 100, 10, 19183, 49},  {490, 100, 50, 12354, 9},   {490, 100, 100, 10626, 4},
    {490, 100, 200, 9304, 2},   {6000, 10, 10, 24516, 600}, {6000, 10, 50, 16796, 120},
    {6000, 10, 100, 14886, 60}, {6000, 10, 200, 13444, 30}, {6000, 10, 1000, 11188, 6},
};

static void totals_are_the_published_ones(void)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const expected *row = &table[i];
        uint32_t total = 0;
        for (int c = 0; c < row->classes; c++)
            total += mfm_split_class_count(row->n_max, row->imbalance, c, row->classes);
        CU_ASSERT_EQUAL(total, row->total);
        CU_ASSERT_EQUAL(mfm_split_class_count(row->n_max, row->imbalance, 0, row->classes),
                        row->n_max);
        CU_ASSERT_EQUAL(
            mfm_split_class_count(row->n_max, row->imbalance, row->classes - 1, row->classes),
            row->smallest);
    }
}

static void check_profile(uint32_t n_max, double imbalance, const uint32_t profile[10])
{
    for (int c = 0; c < 10; c++)
        CU_ASSERT_EQUAL(mfm_split_class_count(n_max, imbalance, c, 10), profile[c]);
}

static void counts_of_classes_are_the_published_ones(void)
{
    check_profile(5000, 100,
                  (const uint32_t[]){5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50});
    check_profile(4990, 100,
                  (const uint32_t[]){4990, 2991, 1793, 1075, 644, 386, 231, 138, 83, 49});
    check_profile(6000, 100,
                  (const uint32_t[]){6000, 3596, 2156, 1292, 774, 464, 278, 166, 100, 60});
    check_profile(6000, 1000, (const uint32_t[]){6000, 2784, 1292, 600, 278, 129, 60, 27, 12, 6});
}

/* With mu rounded to float the last class of each of these would lose an image. */
static void a_float_would_lose_an_image(void)
{
    const float mu = 0.01f;
    CU_ASSERT_EQUAL((uint32_t)floor(5000 * (double)mu), 49);
    CU_ASSERT_EQUAL(mfm_split_class_count(5000, 100, 9, 10), 50);
    CU_ASSERT_EQUAL(mfm_split_class_count(500, 100, 99, 100), 5);
    CU_ASSERT_EQUAL(mfm_split_class_count(6000, 100, 9, 10), 60);
    CU_ASSERT_EQUAL(mfm_split_class_count(10000, 100, 9, 10), 100);
}

static void one_class_keeps_everything(void)
{
    CU_ASSERT_EQUAL(mfm_split_class_count(77, 100, 0, 1), 77);
}

static void a_smaller_imbalance_keeps_what_a_larger_one_keeps(void)
{
    label_set labels;
    labels_init_equal(&labels, 4, 100);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_split *few, *many;
    const mfm_split_options large = {.imbalance = 50, .seed = 3},
                            small = {.imbalance = 5, .seed = 3};
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &large, &few), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &small, &many), MFM_OK);
    CU_ASSERT(few->train_count < many->train_count);
    CU_ASSERT_EQUAL(common(few->train, few->train_count, many->train, many->train_count),
                    few->train_count);
    CU_ASSERT_EQUAL(few->meta_count, 0);
    mfm_split_free(ctx, few);
    mfm_split_free(ctx, many);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

static uint64_t hash_of(mfm_ctx *ctx, const label_set *labels, double imbalance, uint64_t seed)
{
    const mfm_split_options options = {
        .imbalance = imbalance, .meta_per_class = 2, .meta_from = MFM_META_DISJOINT, .seed = seed};
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels->dataset, &options, &split), MFM_OK);
    const uint64_t hash = split->hash;
    mfm_split_free(ctx, split);
    return hash;
}

static void the_seed_decides_alone(void)
{
    label_set labels;
    labels_init_equal(&labels, 4, 100);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const uint64_t hash = hash_of(ctx, &labels, 10, 1);
    CU_ASSERT_EQUAL(hash_of(ctx, &labels, 10, 1), hash);
    CU_ASSERT_NOT_EQUAL(hash_of(ctx, &labels, 10, 2), hash);
    CU_ASSERT_NOT_EQUAL(hash_of(ctx, &labels, 11, 1), hash);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

static uint64_t fnv(const unsigned char *bytes, size_t size)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

/* The words 1, 2, 0, 1, 1, 0 (one class, two images, of which the first or second is the meta set
 * too), 2, 1, 1 (the shape), and for each image its label, 0, and its two bytes. */
static void the_hash_is_fnv_1a(void)
{
    uint8_t pixels[] = {10, 11, 20, 21};
    label_set labels;
    labels_init_equal(&labels, 1, 2);
    labels.dataset.channels = 2;
    labels.dataset.height = labels.dataset.width = 1;
    labels.dataset.train.pixels = pixels;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_split_options options = {
        .imbalance = 1, .meta_per_class = 1, .meta_from = MFM_META_COPY};
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    const unsigned char m = (unsigned char)split->meta[0];
    const unsigned char bytes[] = {1,
                                   0,
                                   0,
                                   0,
                                   2,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0,
                                   1,
                                   0,
                                   0,
                                   0,
                                   1,
                                   0,
                                   0,
                                   0,
                                   m,
                                   0,
                                   0,
                                   0,
                                   2,
                                   0,
                                   0,
                                   0,
                                   1,
                                   0,
                                   0,
                                   0,
                                   1,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0,
                                   10,
                                   11,
                                   0,
                                   0,
                                   20,
                                   21,
                                   0,
                                   0,
                                   pixels[2 * m],
                                   pixels[2 * m + 1]};
    CU_ASSERT_EQUAL(split->hash, fnv(bytes, sizeof bytes));
    mfm_split_free(ctx, split);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

/* As above with 3 images of a byte, of which one is for validation: the words 1, 2, the images that
 * train, 0, 1, 1, 1, for each of these its label and its byte; then 1, the other image, its label
 * and its byte. */
static void the_hash_goes_on_over_the_validation_part(void)
{
    uint8_t pixels[] = {10, 20, 30};
    label_set labels;
    labels_init_equal(&labels, 1, 3);
    labels.dataset.channels = labels.dataset.height = labels.dataset.width = 1;
    labels.dataset.train.pixels = pixels;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_split_options options = {.imbalance = 1, .validation_per_class = 1};
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    const uint8_t words[] = {1, 2, (uint8_t)split->train[0], (uint8_t)split->train[1], 0, 1, 1, 1};
    const uint8_t more[] = {1, (uint8_t)split->validation[0]};
    unsigned char bytes[64] = {0};
    size_t size = 0;
    for (size_t i = 0; i < sizeof words; i++, size += 4)
        bytes[size] = words[i];
    for (int i = 0; i < 2; i++, size += 3)
        bytes[size + 2] = pixels[split->train[i]];
    for (size_t i = 0; i < sizeof more; i++, size += 4)
        bytes[size] = more[i];
    bytes[size + 2] = pixels[split->validation[0]];
    CU_ASSERT_EQUAL(split->hash, fnv(bytes, size + 3));
    mfm_split_free(ctx, split);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

/* One bit of a pixel or another label, of an image that is used, is another split; and so with the
 * test images. */
static void the_hash_covers_pixels_and_labels(void)
{
    uint8_t pixels[4 * 100] = {0}, test[2] = {1, 2};
    uint16_t test_labels[2] = {0, 1};
    label_set labels;
    labels_init_equal(&labels, 4, 100);
    labels.dataset.channels = labels.dataset.height = labels.dataset.width = 1;
    labels.dataset.train.pixels = pixels;
    labels.dataset.test = (mfm_images){.count = 2, .pixels = test, .labels = test_labels};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const uint64_t hash = hash_of(ctx, &labels, 1, 1), tested = mfm_test_hash(&labels.dataset);
    pixels[399] = 1;
    CU_ASSERT_NOT_EQUAL(hash_of(ctx, &labels, 1, 1), hash);
    CU_ASSERT_EQUAL(mfm_test_hash(&labels.dataset), tested);
    pixels[399] = 0;
    CU_ASSERT_EQUAL(hash_of(ctx, &labels, 1, 1), hash);
    test[1] = 3;
    CU_ASSERT_EQUAL(hash_of(ctx, &labels, 1, 1), hash);
    CU_ASSERT_NOT_EQUAL(mfm_test_hash(&labels.dataset), tested);
    test[1] = 2;
    test_labels[1] = 0;
    CU_ASSERT_NOT_EQUAL(mfm_test_hash(&labels.dataset), tested);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

/* 30 images in 3 classes: n_max 10, of which the second class has only 2. */
static void unequal_classes_keep_what_they_have(void)
{
    label_set labels;
    labels_init(&labels, 3, (const uint32_t[]){20, 2, 8});
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    warning_log warnings = {0};
    mfm_ctx_on_warning(ctx, keep_warning, &warnings);
    mfm_split_options options = {.imbalance = 4};
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->train_per_class[0], 10);
    CU_ASSERT_EQUAL(split->train_per_class[1], 2);
    CU_ASSERT_EQUAL(split->train_per_class[2], 2);
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_STRING_EQUAL(warnings.last, "class 1 (b) has 2 images: fewer than its share of 5");
    mfm_split_free(ctx, split);
    options.imbalance = 1;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->train_count, 30);
    mfm_split_free(ctx, split);
    options.max_per_class = 3;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->train_count, 3 + 2 + 3);
    mfm_split_free(ctx, split);
    options.max_per_class = 12; /* one warning for both classes that have fewer */
    warnings.count = 0;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->train_count, 12 + 2 + 8);
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_STRING_EQUAL(warnings.last, "2 classes have fewer images than their share: class 1 "
                                          "(b) has 2 of 12, the smallest part");
    mfm_split_free(ctx, split);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

static void refuse(const label_set *labels, mfm_split_options options, const char *message)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_split *split;
    CU_ASSERT_EQUAL(mfm_split_new(ctx, &labels->dataset, &options, &split), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(split);
    CHECK_MESSAGE(ctx, message);
    mfm_ctx_free(ctx);
}

static void impossible_splits_are_refused(void)
{
    label_set labels;
    labels_init_equal(&labels, 3, 10);
    refuse(&labels, (mfm_split_options){.imbalance = 0.99}, "imbalance 0.99");
    refuse(&labels, (mfm_split_options){.imbalance = -1}, "imbalance -1");
    refuse(&labels, (mfm_split_options){.imbalance = NAN}, "imbalance nan");
    refuse(&labels, (mfm_split_options){.imbalance = INFINITY}, "imbalance inf");
    refuse(&labels, (mfm_split_options){.imbalance = 11},
           "class 2 (c) keeps none of 10 images at imbalance 11: choose one below 10");
    refuse(&labels, (mfm_split_options){.imbalance = 1, .meta_per_class = 11},
           "11 takes all images of class 0 (a), which has 10: at most 9");
    refuse(&labels, (mfm_split_options){.imbalance = 1, .meta_per_class = 10},
           "10 takes all images of class 0 (a), which has 10: at most 9");
    refuse(&labels, (mfm_split_options){.imbalance = 1, .meta_per_class = UINT32_MAX}, "at most 9");
    refuse(&labels, (mfm_split_options){.imbalance = 1, .validation_per_class = 10},
           "10 images for validation of class 0 (a), which has 10: at least one must be left");
    refuse(&labels,
           (mfm_split_options){.imbalance = 1, .meta_per_class = 5, .validation_per_class = 5},
           "5 images for validation besides the meta images of class 0 (a), which has 10");
    refuse(&labels,
           (mfm_split_options){.imbalance = 1, .meta_per_class = 9, .validation_share = 0.01},
           "1 image for validation besides the meta images of class 0 (a), which has 10");
    refuse(&labels, (mfm_split_options){.imbalance = 1, .validation_per_class = UINT32_MAX},
           "at least one must be left");
    refuse(&labels, (mfm_split_options){.imbalance = 1, .validation_share = 1},
           "validation share 1: at least 0, below 1");
    refuse(&labels, (mfm_split_options){.imbalance = 1, .validation_share = NAN},
           "validation share nan");
    labels.dataset.train.count = 0;
    refuse(&labels, (mfm_split_options){.imbalance = 1}, "no training images");
    labels_clear(&labels);
    labels_init(&labels, 3, (const uint32_t[]){5, 0, 5});
    refuse(&labels, (mfm_split_options){.imbalance = 1},
           "class 1 (b) has no training images: number the labels without gaps");
    labels_clear(&labels);
}

static int make_split(mfm_ctx *ctx, void *self)
{
    const label_set *labels = self;
    const mfm_split_options options = {
        .imbalance = 4, .meta_per_class = 2, .meta_from = MFM_META_COPY, .validation_per_class = 1};
    mfm_split *split;
    const int status = mfm_split_new(ctx, &labels->dataset, &options, &split);
    mfm_split_free(ctx, split);
    return status;
}

static void failing_allocations_are_reported(void)
{
    label_set labels;
    labels_init_equal(&labels, 3, 10);
    check_failing_allocations(make_split, &labels);
    labels_clear(&labels);
}

static const mfm_case cases[] = {
    {"totals are the published ones", totals_are_the_published_ones},
    {"counts of classes are the published ones", counts_of_classes_are_the_published_ones},
    {"a float would lose an image", a_float_would_lose_an_image},
    {"one class keeps everything", one_class_keeps_everything},
    {"a smaller imbalance keeps what a larger one keeps",
     a_smaller_imbalance_keeps_what_a_larger_one_keeps},
    {"the seed decides alone", the_seed_decides_alone},
    {"the hash is FNV-1a", the_hash_is_fnv_1a},
    {"the hash goes on over the validation part", the_hash_goes_on_over_the_validation_part},
    {"the hash covers pixels and labels", the_hash_covers_pixels_and_labels},
    {"unequal classes keep what they have", unequal_classes_keep_what_they_have},
    {"impossible splits are refused", impossible_splits_are_refused},
    {"failing allocations are reported", failing_allocations_are_reported},
};

MFM_SUITE("core/data/split", cases)
