/* The dataset as the distribution's package installs it; skipped where it is not installed. */
#include <math.h>
#include <unistd.h>

#include "core/data/sources/dataset_kind.h"
#include "core/data/split.h"
#include "tests/core/data/support.h"

enum { SKIPPED = 77 };

static mfm_ctx *ctx;
extern const mfm_dataset_kind mfm_dataset_fashion_mnist;

static mfm_dataset *dataset;

static void sizes_are_the_published_ones(void)
{
    uint32_t train[10] = {0}, test[10] = {0};
    CU_ASSERT_EQUAL_FATAL(dataset->train.count, 60000);
    CU_ASSERT_EQUAL_FATAL(dataset->test.count, 10000);
    CU_ASSERT_EQUAL(dataset->height, 28);
    CU_ASSERT_EQUAL(dataset->width, 28);
    for (uint32_t i = 0; i < dataset->train.count; i++)
        train[dataset->train.labels[i]]++;
    for (uint32_t i = 0; i < dataset->test.count; i++)
        test[dataset->test.labels[i]]++;
    for (int c = 0; c < 10; c++) {
        CU_ASSERT_EQUAL(train[c], 6000);
        CU_ASSERT_EQUAL(test[c], 1000);
    }
}

static void measured_constants_are_the_published_ones(void)
{
    const double mean = dataset->mean[0], deviation = dataset->deviation[0];
    mfm_dataset_measure(dataset);
    CU_ASSERT_DOUBLE_EQUAL(dataset->mean[0], mean, 0.0005);
    CU_ASSERT_DOUBLE_EQUAL(dataset->deviation[0], deviation, 0.0005);
    dataset->mean[0] = mean;
    dataset->deviation[0] = deviation;
}

static void the_split_of_imbalance_1000_leaves_six_boots(void)
{
    const mfm_split_options options = {
        .imbalance = 1000, .meta_per_class = 10, .meta_from = MFM_META_COPY, .seed = 1};
    warning_log warnings = {0};
    mfm_ctx_on_warning(ctx, keep_warning, &warnings);
    mfm_split *split;
    CU_ASSERT_EQUAL_FATAL(mfm_split_new(ctx, dataset, &options, &split), MFM_OK);
    CU_ASSERT_EQUAL(split->train_count, 11188);
    CU_ASSERT_EQUAL(split->train_per_class[9], 6);
    CU_ASSERT_EQUAL(split->meta_count, 96);
    CU_ASSERT_EQUAL(warnings.count, 1);
    CU_ASSERT_STRING_EQUAL(warnings.last,
                           "class 9 (Ankle boot) has 6 images: 6 of 10 in the meta set");
    mfm_split_free(ctx, split);
    mfm_ctx_on_warning(ctx, NULL, NULL);
}

static const mfm_case cases[] = {
    {"sizes are the published ones", sizes_are_the_published_ones},
    {"measured constants are the published ones", measured_constants_are_the_published_ones},
    {"the split of imbalance 1000 leaves six boots", the_split_of_imbalance_1000_leaves_six_boots},
};

int main(void)
{
    if (access(mfm_dataset_fashion_mnist.folder, F_OK) != 0)
        return SKIPPED;
    ctx = mfm_ctx_new(NULL);
    if (mfm_dataset_open(ctx, "fashion-mnist", MFM_PART_TRAIN | MFM_PART_TEST, &dataset)) {
        fprintf(stderr, "%s\n", mfm_message(ctx));
        return 1;
    }
    const int failed =
        mfm_suite_run("core/data/fashion_mnist", cases, sizeof cases / sizeof cases[0]);
    mfm_dataset_free(ctx, dataset);
    mfm_ctx_free(ctx);
    return failed;
}
