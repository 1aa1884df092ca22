/*
 * idx:FOLDER: any dataset in MNIST's four files. The training part says how many classes there are
 * and what mean and deviation the pixels have, so it is read even when only the test part is
 * wanted; a folder without one is for models that tell their own.
 *
 * Labels that begin at 1 (EMNIST's letters) are numbered from 0, which a warning says.
 */
#include "core/data/sources/dataset_kind.h"
#include "core/data/sources/files/idx_files.h"

static void range_of(const mfm_images *images, int *lowest, int *highest)
{
    *lowest = *highest = images->labels[0];
    for (uint32_t i = 1; i < images->count; i++) {
        *lowest = images->labels[i] < *lowest ? images->labels[i] : *lowest;
        *highest = images->labels[i] > *highest ? images->labels[i] : *highest;
    }
}

static int read_test_alone(mfm_ctx *ctx, const char *folder, mfm_dataset *dataset)
{
    int lowest, highest;
    dataset->unmeasured = true;
    const int status = mfm_idx_read_part(ctx, folder, MFM_PART_TEST, dataset, &dataset->test);
    if (status != MFM_OK)
        return status;
    range_of(&dataset->test, &lowest, &highest);
    return mfm_dataset_set_classes(ctx, dataset, highest + 1, NULL);
}

/* The classes are what the training images show. */
static int read_train(mfm_ctx *ctx, const char *folder, mfm_dataset *dataset)
{
    int lowest, highest;
    int status = mfm_idx_read_part(ctx, folder, MFM_PART_TRAIN, dataset, &dataset->train);
    if (status != MFM_OK)
        return status;
    range_of(&dataset->train, &lowest, &highest);
    status = mfm_dataset_set_classes(ctx, dataset, highest + 1, NULL);
    if (status == MFM_OK && lowest == 1) {
        mfm_warn(ctx, "%s: no image has label 0: label 1 is class 0, and so on up to %d",
                 dataset->name, highest);
        status = mfm_dataset_number_from(ctx, dataset, 1);
    }
    mfm_dataset_measure(dataset);
    return status;
}

static int read_idx(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    bool trains = true;
    int status = MFM_OK;
    if (!(parts & MFM_PART_TRAIN))
        status = mfm_idx_find_part(ctx, folder, MFM_PART_TRAIN, &trains);
    if (status == MFM_OK && !trains) {
        bool tests = false;
        status = mfm_idx_find_part(ctx, folder, MFM_PART_TEST, &tests);
        if (status == MFM_OK && tests)
            return read_test_alone(ctx, folder, dataset);
    }
    if (status == MFM_OK)
        status = read_train(ctx, folder, dataset);
    if (status == MFM_OK && (parts & MFM_PART_TEST))
        status = mfm_idx_read_part(ctx, folder, MFM_PART_TEST, dataset, &dataset->test);
    return status;
}

const mfm_dataset_kind mfm_dataset_idx = {.name = "idx", .read = read_idx};
