/* The parts that a split takes out or copies: meta set and validation part. */
#include "tests/core/data/labels.h"

/* 3 classes of 40, 4 each taken out: n_max 36, imbalance 9 gives 36, 12, 4. */
static void a_disjoint_meta_set_is_taken_out_first(void)
{
    label_set labels;
    labels_init_equal(&labels, 3, 40);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_split_options options = {
        .imbalance = 9, .meta_per_class = 4, .meta_from = MFM_META_DISJOINT, .seed = 5};
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->train_per_class[0], 36);
    CU_ASSERT_EQUAL(split->train_per_class[1], 12);
    CU_ASSERT_EQUAL(split->train_per_class[2], 4);
    CU_ASSERT_EQUAL(split->train_count, 52);
    CU_ASSERT_EQUAL(split->meta_count, 12);
    check_indices(&labels, split->train, split->train_count, split->train_per_class);
    check_indices(&labels, split->meta, split->meta_count, split->meta_per_class);
    CU_ASSERT_EQUAL(common(split->train, split->train_count, split->meta, split->meta_count), 0);
    mfm_split_free(ctx, split);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

/* 3 classes of 40, imbalance 20: 40, 8, 2; of the last class only 2 can be copied. */
static void a_copied_meta_set_is_part_of_the_training_set(void)
{
    label_set labels;
    labels_init_equal(&labels, 3, 40);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    warning_log warnings = {0};
    mfm_ctx_on_warning(ctx, keep_warning, &warnings);
    const mfm_split_options options = {
        .imbalance = 20, .meta_per_class = 5, .meta_from = MFM_META_COPY, .seed = 5};
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->train_per_class[1], 8);
    CU_ASSERT_EQUAL(split->meta_per_class[1], 5);
    CU_ASSERT_EQUAL(split->meta_per_class[2], 2);
    CU_ASSERT_EQUAL(split->meta_count, 12);
    check_indices(&labels, split->train, split->train_count, split->train_per_class);
    check_indices(&labels, split->meta, split->meta_count, split->meta_per_class);
    CU_ASSERT_EQUAL(common(split->meta, split->meta_count, split->train, split->train_count), 12);
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_STRING_EQUAL(warnings.last, "class 2 (c) has 2 images: 2 of 5 in the meta set");
    mfm_split_free(ctx, split);
    mfm_split_options more = options;
    more.meta_per_class = 10;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &more, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->meta_count, 10 + 8 + 2);
    CU_ASSERT_EQUAL(warnings.count, 2);
    CU_ASSERT_STRING_EQUAL(warnings.last, "2 classes have fewer than 10 images, and as many in the "
                                          "meta set: class 2 (c) has the fewest, 2");
    mfm_split_free(ctx, split);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

/* 3 classes of 40, of which 4 for the meta set and 6 for validation are taken out: n_max 30,
 * imbalance 9 gives 30, 10, 30 / 9 = 3. 0.15 of 40 are 6 as well. */
static void a_validation_part_is_taken_out_of_every_class(void)
{
    label_set labels;
    labels_init_equal(&labels, 3, 40);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_split_options options = {.imbalance = 9,
                                 .meta_per_class = 4,
                                 .meta_from = MFM_META_DISJOINT,
                                 .validation_per_class = 6,
                                 .seed = 5};
    mfm_split *split, *other;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    const uint32_t train[] = {30, 10, 3};
    for (int c = 0; c < 3; c++) {
        CU_ASSERT_EQUAL(split->train_per_class[c], train[c]);
        CU_ASSERT_EQUAL(split->meta_per_class[c], 4);
        CU_ASSERT_EQUAL(split->validation_per_class[c], 6);
    }
    CU_ASSERT_EQUAL(split->validation_count, 18);
    check_indices(&labels, split->train, split->train_count, split->train_per_class);
    check_indices(&labels, split->meta, split->meta_count, split->meta_per_class);
    check_indices(&labels, split->validation, split->validation_count, split->validation_per_class);
    CU_ASSERT_EQUAL(common(split->train, split->train_count, split->meta, split->meta_count), 0);
    CU_ASSERT_EQUAL(
        common(split->validation, split->validation_count, split->meta, split->meta_count), 0);
    CU_ASSERT_EQUAL(
        common(split->validation, split->validation_count, split->train, split->train_count), 0);
    options.validation_per_class = 0;
    options.validation_share = 0.15;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &other), MFM_OK);
    CU_ASSERT_EQUAL(other->hash, split->hash);
    mfm_split_free(ctx, other);
    options.seed = 6;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &other), MFM_OK);
    CU_ASSERT(common(split->validation, 18, other->validation, 18) < 18);
    mfm_split_free(ctx, other);
    mfm_split_free(ctx, split);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

/* Of 20, 2 and 8 images a tenth is 2, 0.2 and 0.8: at least one. All others train; copies for the
 * meta set are of these. A quarter of 2 rounds up to 1, of 8 is 2, of 20 is 5. */
static void a_share_takes_at_least_one(void)
{
    label_set labels;
    labels_init(&labels, 3, (const uint32_t[]){20, 2, 8});
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_split_options options = {
        .imbalance = 1, .meta_per_class = 1, .meta_from = MFM_META_COPY, .validation_share = 0.1};
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    const uint32_t tenth[] = {2, 1, 1}, quarter[] = {5, 1, 2}, size[] = {20, 2, 8};
    for (int c = 0; c < 3; c++) {
        CU_ASSERT_EQUAL(split->validation_per_class[c], tenth[c]);
        CU_ASSERT_EQUAL(split->train_per_class[c], size[c] - tenth[c]);
    }
    CU_ASSERT_EQUAL(common(split->meta, split->meta_count, split->train, split->train_count), 3);
    mfm_split_free(ctx, split);
    options.validation_share = 0.25;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    for (int c = 0; c < 3; c++)
        CU_ASSERT_EQUAL(split->validation_per_class[c], quarter[c]);
    mfm_split_free(ctx, split);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

/* 40, 8 and 2 images as above: all classes give 2 instead of 5. A disjoint set has what it asks
 * for. */
static void the_rarest_class_caps_the_copies(void)
{
    label_set labels;
    labels_init_equal(&labels, 3, 40);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    warning_log warnings = {0};
    mfm_ctx_on_warning(ctx, keep_warning, &warnings);
    mfm_split_options options = {.imbalance = 20,
                                 .meta_per_class = 5,
                                 .meta_from = MFM_META_COPY,
                                 .meta_cap = MFM_META_CAP_RAREST,
                                 .seed = 5};
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    for (int c = 0; c < 3; c++)
        CU_ASSERT_EQUAL(split->meta_per_class[c], 2);
    CU_ASSERT_EQUAL(split->meta_count, 6);
    check_indices(&labels, split->meta, split->meta_count, split->meta_per_class);
    CU_ASSERT_EQUAL(common(split->meta, split->meta_count, split->train, split->train_count), 6);
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_STRING_EQUAL(warnings.last, "class 2 (c), the rarest, has 2 images: 2 instead of 5 "
                                          "of each class in the meta set");
    mfm_split_free(ctx, split);
    options.meta_per_class = 2;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->meta_count, 6);
    CU_ASSERT_EQUAL(warnings.count, 1);
    mfm_split_free(ctx, split);
    options.meta_from = MFM_META_DISJOINT;
    options.meta_per_class = 5;
    options.imbalance = 10;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, &labels.dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->meta_count, 15);
    CU_ASSERT_EQUAL(warnings.count, 1);
    mfm_split_free(ctx, split);
    mfm_ctx_free(ctx);
    labels_clear(&labels);
}

static const mfm_case cases[] = {
    {"a disjoint meta set is taken out first", a_disjoint_meta_set_is_taken_out_first},
    {"a copied meta set is part of the training set",
     a_copied_meta_set_is_part_of_the_training_set},
    {"a validation part is taken out of every class",
     a_validation_part_is_taken_out_of_every_class},
    {"a share takes at least one", a_share_takes_at_least_one},
    {"the rarest class caps the copies", the_rarest_class_caps_the_copies},
};

MFM_SUITE("core/data/split_parts", cases)
