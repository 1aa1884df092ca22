#include "core/data/idx_files.h"

#include <unistd.h>

#include "core/data/dataset_kind.h"
#include "core/data/file_reader.h"

enum { MAGIC_LABELS = 0x0801, MAGIC_IMAGES = 0x0803, MAX_SIDE = 1 << 15 };

/* The plain file is preferred, being the quicker to read. */
static int open_idx(mfm_ctx *ctx, const char *folder, const char *prefix, const char *suffix,
                    mfm_file_reader **reader)
{
    char *path = mfm_format(ctx, "%s/%s-%s", folder, prefix, suffix);
    char *packed = mfm_format(ctx, "%s/%s-%s.gz", folder, prefix, suffix);
    int status = MFM_ENOMEM;
    if (path && packed) {
        const char *found = access(path, F_OK) == 0     ? path
                            : access(packed, F_OK) == 0 ? packed
                                                        : NULL;
        status = found
                     ? mfm_file_reader_open(ctx, found, reader)
                     : mfm_fail(ctx, MFM_EIO, "%s: no such file: needed as it is or as .gz", path);
    }
    mfm_free(ctx, path);
    mfm_free(ctx, packed);
    return status;
}

static int read_header(mfm_ctx *ctx, mfm_file_reader *reader, uint32_t magic, int rank,
                       uint32_t *sizes)
{
    unsigned char bytes[4 * 4];
    const int status = mfm_file_reader_read(reader, bytes, 4 * ((size_t)rank + 1));
    if (status != MFM_OK)
        return status;
    uint32_t words[4];
    for (int i = 0; i <= rank; i++)
        words[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 |
                   (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
    if (words[0] != magic)
        return mfm_fail(ctx, MFM_EDATA, "%s: wrong magic number: 0x%08x: 0x%08x is required",
                        mfm_file_reader_path(reader), words[0], magic);
    for (int i = 0; i < rank; i++)
        sizes[i] = words[i + 1];
    return MFM_OK;
}

/* Checked in steps that cannot overflow: sides up to 2^15 and a count below 2^32 make 2^62. */
static int check_sizes(mfm_ctx *ctx, mfm_file_reader *reader, const uint32_t sizes[3])
{
    const char *path = mfm_file_reader_path(reader);
    if (sizes[0] == 0 || sizes[1] == 0 || sizes[2] == 0 || sizes[1] > MAX_SIDE ||
        sizes[2] > MAX_SIDE)
        return mfm_fail(ctx, MFM_EDATA,
                        "%s: wrong sizes: %u images of %u x %u: at least 1, sides up to %d", path,
                        sizes[0], sizes[1], sizes[2], MAX_SIDE);
    const uint64_t claimed = (uint64_t)sizes[0] * sizes[1] * sizes[2];
    if (claimed > mfm_file_reader_limit(reader))
        return mfm_fail(ctx, MFM_EDATA,
                        "%s: wrong sizes: %u images of %u x %u: more than the file can hold", path,
                        sizes[0], sizes[1], sizes[2]);
    return MFM_OK;
}

static int set_shape(mfm_ctx *ctx, mfm_file_reader *reader, const uint32_t sizes[3],
                     mfm_dataset *dataset)
{
    const int height = (int)sizes[1], width = (int)sizes[2];
    if (dataset->channels && (height != dataset->height || width != dataset->width))
        return mfm_fail(
            ctx, MFM_EDATA, "%s: images of %d x %d: those of the other part are %d x %d",
            mfm_file_reader_path(reader), height, width, dataset->height, dataset->width);
    dataset->height = height;
    dataset->width = width;
    dataset->channels = 1;
    return MFM_OK;
}

static int read_images(mfm_ctx *ctx, mfm_file_reader *reader, mfm_dataset *dataset,
                       mfm_images *images)
{
    uint32_t sizes[3] = {0};
    int status = read_header(ctx, reader, MAGIC_IMAGES, 3, sizes);
    if (status == MFM_OK)
        status = check_sizes(ctx, reader, sizes);
    if (status == MFM_OK)
        status = set_shape(ctx, reader, sizes, dataset);
    if (status == MFM_OK)
        status = mfm_images_new(ctx, dataset, sizes[0], images);
    if (status == MFM_OK)
        status = mfm_file_reader_read(reader, images->pixels,
                                      images->count * mfm_dataset_image_size(dataset));
    return status == MFM_OK ? mfm_file_reader_end(reader) : status;
}

static int read_labels(mfm_ctx *ctx, mfm_file_reader *reader, int classes, mfm_images *images)
{
    uint32_t count = 0;
    int status = read_header(ctx, reader, MAGIC_LABELS, 1, &count);
    if (status != MFM_OK)
        return status;
    if (count != images->count)
        return mfm_fail(ctx, MFM_EDATA, "%s: %u labels: the file of the images holds %u",
                        mfm_file_reader_path(reader), count, images->count);
    for (uint32_t i = 0; i < count; i++) {
        unsigned char label;
        status = mfm_file_reader_read(reader, &label, 1);
        if (status != MFM_OK)
            return status;
        if (classes > 0 && label >= classes)
            return mfm_fail(ctx, MFM_EDATA, "%s: image %u has label %u: the labels are 0 to %d",
                            mfm_file_reader_path(reader), i, label, classes - 1);
        images->labels[i] = label;
    }
    return mfm_file_reader_end(reader);
}

int mfm_idx_read_part(mfm_ctx *ctx, const char *folder, const char *prefix, int classes,
                      mfm_dataset *dataset, mfm_images *images)
{
    mfm_file_reader *reader = NULL;
    int status = open_idx(ctx, folder, prefix, "images-idx3-ubyte", &reader);
    if (status == MFM_OK)
        status = read_images(ctx, reader, dataset, images);
    mfm_file_reader_close(reader);
    if (status != MFM_OK)
        return status;
    reader = NULL;
    status = open_idx(ctx, folder, prefix, "labels-idx1-ubyte", &reader);
    if (status == MFM_OK)
        status = read_labels(ctx, reader, classes, images);
    mfm_file_reader_close(reader);
    return status;
}
