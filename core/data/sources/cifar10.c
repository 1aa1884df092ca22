/* cifar10:FOLDER: the folder cifar-10-batches-bin of the binary version. */
#include "core/data/sources/files/cifar_files.h"
#include "core/data/sources/dataset_kind.h"

static const char *const train[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                    "data_batch_4.bin", "data_batch_5.bin", NULL};
static const char *const test[] = {"test_batch.bin", NULL};
static const char *const names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                    "dog",      "frog",       "horse", "ship", "truck"};

static int read_cifar10(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset)
{
    const mfm_cifar cifar = {10, 1, train, test};
    const int status = mfm_dataset_set_classes(ctx, dataset, cifar.classes, names);
    return status == MFM_OK ? mfm_cifar_read(ctx, folder, parts, &cifar, dataset) : status;
}

const mfm_dataset_kind mfm_dataset_cifar10 = {
    .name = "cifar10", .read = read_cifar10, .augment = "shift:4,flip"};
