#include "core/data/sources/files/cifar_files.h"

#include <string.h>

#include "core/data/sources/dataset_kind.h"
#include "core/data/file_reader.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, CHANNELS = 3, PIXELS = CHANNELS * PLANE, MAX_FILES = 8 };

/* Those that long-tailed training uses for both datasets (Cao et al., NeurIPS 2019). */
static const double mean[CHANNELS] = {0.4914, 0.4822, 0.4465};
static const double deviation[CHANNELS] = {0.2023, 0.1994, 0.2010};

static int open_file(mfm_ctx *ctx, const char *folder, const char *name, mfm_file_reader **reader)
{
    char *path = mfm_format(ctx, "%s/%s", folder, name);
    const int status = path ? mfm_file_reader_open(ctx, path, reader) : MFM_ENOMEM;
    mfm_free(ctx, path);
    return status;
}

static int count_records(mfm_ctx *ctx, const mfm_file_reader *reader, int label_bytes,
                         uint64_t *count)
{
    const uint64_t size = mfm_file_reader_limit(reader), record = (uint64_t)label_bytes + PIXELS;
    if (mfm_file_reader_compressed(reader))
        return mfm_fail(ctx, MFM_EDATA, "%s: compressed: the plain file is required",
                        mfm_file_reader_path(reader));
    if (size == 0 || size % record != 0)
        return mfm_fail(ctx, MFM_EDATA, "%s: %llu bytes: a multiple of %llu is required",
                        mfm_file_reader_path(reader), (unsigned long long)size,
                        (unsigned long long)record);
    *count += size / record;
    return MFM_OK;
}

static int read_record(mfm_ctx *ctx, mfm_file_reader *reader, const mfm_cifar *cifar,
                       uint8_t *pixels, uint16_t *label)
{
    unsigned char labels[2], planes[CHANNELS][PLANE];
    int status = mfm_file_reader_read(reader, labels, (size_t)cifar->label_bytes);
    if (status == MFM_OK)
        status = mfm_file_reader_read(reader, planes, PIXELS);
    if (status != MFM_OK)
        return status;
    *label = labels[cifar->label_bytes - 1];
    if (*label >= cifar->classes)
        return mfm_fail(ctx, MFM_EDATA, "%s: an image has label %u: the labels are 0 to %d",
                        mfm_file_reader_path(reader), *label, cifar->classes - 1);
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < CHANNELS; c++)
            pixels[i * CHANNELS + c] = planes[c][i];
    return MFM_OK;
}

static int read_file(mfm_ctx *ctx, mfm_file_reader *reader, const mfm_cifar *cifar,
                     mfm_images *images, uint64_t *done)
{
    uint64_t count = 0;
    int status = count_records(ctx, reader, cifar->label_bytes, &count);
    for (uint64_t i = 0; status == MFM_OK && i < count; i++, ++*done)
        status = read_record(ctx, reader, cifar, images->pixels + *done * PIXELS,
                             images->labels + *done);
    return status == MFM_OK ? mfm_file_reader_end(reader) : status;
}

/* All files stay open from the count to the reading, so that their sizes are those counted. */
static int read_open_files(mfm_ctx *ctx, mfm_file_reader **readers, int files,
                           const mfm_cifar *cifar, const mfm_dataset *dataset, mfm_images *images)
{
    uint64_t count = 0, done = 0;
    int status = MFM_OK;
    for (int i = 0; status == MFM_OK && i < files; i++)
        status = count_records(ctx, readers[i], cifar->label_bytes, &count);
    if (status == MFM_OK)
        status = mfm_images_new(ctx, dataset, count, images);
    for (int i = 0; status == MFM_OK && i < files; i++)
        status = read_file(ctx, readers[i], cifar, images, &done);
    return status;
}

static int read_part(mfm_ctx *ctx, const char *folder, const char *const *names,
                     const mfm_cifar *cifar, const mfm_dataset *dataset, mfm_images *images)
{
    mfm_file_reader *readers[MAX_FILES] = {NULL};
    int files = 0, status = MFM_OK;
    for (; status == MFM_OK && files < MAX_FILES && names[files]; files++)
        status = open_file(ctx, folder, names[files], &readers[files]);
    if (status == MFM_OK)
        status = read_open_files(ctx, readers, files, cifar, dataset, images);
    for (int i = 0; i < files; i++)
        mfm_file_reader_close(readers[i]);
    return status;
}

int mfm_cifar_read(mfm_ctx *ctx, const char *folder, unsigned parts, const mfm_cifar *cifar,
                   mfm_dataset *dataset)
{
    dataset->height = SIDE;
    dataset->width = SIDE;
    dataset->channels = CHANNELS;
    memcpy(dataset->mean, mean, sizeof mean);
    memcpy(dataset->deviation, deviation, sizeof deviation);
    int status = MFM_OK;
    if (parts & MFM_PART_TRAIN)
        status = read_part(ctx, folder, cifar->train, cifar, dataset, &dataset->train);
    if (status == MFM_OK && (parts & MFM_PART_TEST))
        status = read_part(ctx, folder, cifar->test, cifar, dataset, &dataset->test);
    return status;
}
