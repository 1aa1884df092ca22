/*
 * idx:FOLDER: any dataset in MNIST's four files. The training part says how many classes there are
 * and what mean and deviation the pixels have, so it is read even when only the test part is
 * wanted.
 */
#include "core/data/dataset_kind.h"
#include "core/data/idx_files.h"

static int read_idx(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    int status = mfm_idx_read_part(ctx, folder, "train", 0, dataset, &dataset->train);
    if (status != MFM_OK)
        return status;
    int classes = 0;
    for (uint32_t i = 0; i < dataset->train.count; i++)
        if (dataset->train.labels[i] >= classes)
            classes = dataset->train.labels[i] + 1;
    status = mfm_dataset_set_classes(ctx, dataset, classes, NULL);
    if (status != MFM_OK)
        return status;
    mfm_dataset_measure(dataset);
    if (!(parts & MFM_PART_TEST))
        return MFM_OK;
    return mfm_idx_read_part(ctx, folder, "t10k", classes, dataset, &dataset->test);
}

const mfm_dataset_kind mfm_dataset_idx = {"idx", NULL, read_idx};
