/*
 * fashion-mnist: Zalando's articles, 60000 + 10000 images of 28 x 28 (Xiao, Rasul, Vollgraf,
 * arXiv 1708.07747), read from where Debian's package dataset-fashion-mnist puts them or from
 * fashion-mnist:FOLDER. Mean and deviation are the published ones of the training images.
 */
#include "core/data/sources/dataset_kind.h"
#include "core/data/sources/files/idx_files.h"

#define PACKAGE "dataset-fashion-mnist"

static const char *const names[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

enum { CLASSES = sizeof names / sizeof names[0] };

static int read_parts(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    int status = mfm_dataset_set_classes(ctx, dataset, CLASSES, names);
    if (status == MFM_OK && (parts & MFM_PART_TRAIN))
        status = mfm_idx_read_part(ctx, folder, MFM_PART_TRAIN, dataset, &dataset->train);
    if (status == MFM_OK && (parts & MFM_PART_TEST))
        status = mfm_idx_read_part(ctx, folder, MFM_PART_TEST, dataset, &dataset->test);
    return status;
}

static int read_fashion_mnist(mfm_ctx *ctx, const char *folder, unsigned parts,
                              mfm_dataset *dataset)
{
    dataset->mean[0] = 0.286;
    dataset->deviation[0] = 0.353;
    const int status = read_parts(ctx, folder, parts, dataset);
    if (status == MFM_EIO)
        return mfm_fail_in(ctx, status,
                           "fashion-mnist cannot be read (install the package " PACKAGE
                           ", or name a folder as fashion-mnist:FOLDER)");
    return status;
}

const mfm_dataset_kind mfm_dataset_fashion_mnist = {.name = "fashion-mnist",
                                                    .folder = "/usr/share/datasets/fashion-mnist",
                                                    .read = read_fashion_mnist};
