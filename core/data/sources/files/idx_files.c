#include "core/data/sources/files/idx_files.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>

#include "core/data/sources/dataset_kind.h"
#include "core/data/file_reader.h"

enum { MAGIC_LABELS = 0x0801, MAGIC_IMAGES = 0x0803, MAX_SIDE = 1 << 15, MAX_AXES = 4, NONE = -1 };

/* ---- which files ---- */

/* What files of a part are called, the best first, each list ending with NULL. */
static const char *const image_ends[] = {"-images-idx3-ubyte", "-images.idx3-ubyte",
                                         "-images-idx4-ubyte", "-images.idx4-ubyte", NULL};
static const char *const label_ends[] = {"-labels-idx1-ubyte", "-labels.idx1-ubyte", NULL};
static const char *const part_names[][3] = {
    [MFM_PART_TRAIN] = {"train", NULL}, [MFM_PART_TEST] = {"t10k", "test", NULL}};

typedef struct found_file {
    char *path;    /* NULL: none */
    char *prefix;  /* what stands before the part's name, as in emnist-letters-train-... */
    int rank;      /* the lower, the better */
    bool rivalled; /* another file has another prefix */
} found_file;

/* Shortens *length by an end that name[0 .. *length) has; false: it has another. */
static bool cut(const char *name, size_t *length, const char *end)
{
    const size_t size = strlen(end);
    if (*length < size || memcmp(name + *length - size, end, size) != 0)
        return false;
    *length -= size;
    return true;
}

/* The position of the end in the list that name has, and is shortened by; NONE: none of them. */
static int cut_any(const char *name, size_t *length, const char *const *ends)
{
    for (int i = 0; ends[i]; i++)
        if (cut(name, length, ends[i]))
            return i;
    return NONE;
}

/* [PREFIX-]PART-images-idx3-ubyte[.gz] and its kin: the rank, and the length of the prefix. The
 * plain file is preferred, being the quicker to read. */
static int rank_name(const char *name, const char *const *parts, const char *const *ends,
                     size_t *prefix)
{
    *prefix = strlen(name);
    const bool packed = cut(name, prefix, ".gz");
    const int end = cut_any(name, prefix, ends);
    if (end == NONE || cut_any(name, prefix, parts) == NONE)
        return NONE;
    if (*prefix > 0 && !strchr("-_.", name[*prefix - 1]))
        return NONE;
    return 2 * end + packed;
}

static int take_file(mfm_ctx *ctx, const char *folder, const char *name, size_t prefix, int rank,
                     found_file *found)
{
    char *path = mfm_format(ctx, "%s/%s", folder, name);
    char *before = mfm_format(ctx, "%.*s", (int)prefix, name);
    if (!path || !before) {
        mfm_free(ctx, path);
        mfm_free(ctx, before);
        return MFM_ENOMEM;
    }
    mfm_free(ctx, found->path);
    mfm_free(ctx, found->prefix);
    *found = (found_file){path, before, rank, found->rivalled};
    return MFM_OK;
}

/* A name without prefix wins over all that have one; among the others there must be one prefix. */
static int consider(mfm_ctx *ctx, const char *folder, const char *name, size_t prefix, int rank,
                    found_file *found)
{
    if (!found->path)
        return take_file(ctx, folder, name, prefix, rank, found);
    const size_t before = strlen(found->prefix);
    if (before == prefix && memcmp(found->prefix, name, prefix) == 0)
        return rank < found->rank ? take_file(ctx, folder, name, prefix, rank, found) : MFM_OK;
    found->rivalled = before > 0 && prefix > 0;
    return prefix == 0 ? take_file(ctx, folder, name, prefix, rank, found) : MFM_OK;
}

static int find_file(mfm_ctx *ctx, const char *folder, enum mfm_part part, const char *const *ends,
                     found_file *found)
{
    *found = (found_file){.path = NULL};
    DIR *entries = opendir(folder);
    int status = MFM_OK;
    const struct dirent *entry;
    while (entries && !status && (entry = readdir(entries)) != NULL) {
        size_t prefix;
        const int rank = rank_name(entry->d_name, part_names[part], ends, &prefix);
        if (rank != NONE)
            status = consider(ctx, folder, entry->d_name, prefix, rank, found);
    }
    if (entries)
        closedir(entries);
    if (!status && found->path && found->rivalled && found->prefix[0])
        status = mfm_fail(ctx, MFM_EDATA,
                          "%s: more than one set of files, one of them with %s: keep each set in a "
                          "folder of its own",
                          folder, found->path);
    return status;
}

static void clear_file(mfm_ctx *ctx, found_file *found)
{
    mfm_free(ctx, found->path);
    mfm_free(ctx, found->prefix);
}

int mfm_idx_find_part(mfm_ctx *ctx, const char *folder, enum mfm_part part, bool *found)
{
    found_file images = {.path = NULL}, labels = {.path = NULL};
    int status = find_file(ctx, folder, part, image_ends, &images);
    if (!status)
        status = find_file(ctx, folder, part, label_ends, &labels);
    *found = images.path || labels.path;
    clear_file(ctx, &images);
    clear_file(ctx, &labels);
    return status;
}

static int open_idx(mfm_ctx *ctx, const char *folder, enum mfm_part part, const char *const *ends,
                    mfm_file_reader **reader)
{
    found_file found;
    int status = find_file(ctx, folder, part, ends, &found);
    if (!status)
        status = found.path
                     ? mfm_file_reader_open(ctx, found.path, reader)
                     : mfm_fail(ctx, MFM_EIO, "%s/%s%s: no such file: needed as it is or as .gz",
                                folder, part_names[part][0], ends[0]);
    clear_file(ctx, &found);
    return status;
}

/* ---- what is in them ---- */

/* Reads as many axes as the magic number tells, from least to most of them. */
static int read_header(mfm_ctx *ctx, mfm_file_reader *reader, uint32_t magic, int most,
                       uint32_t sizes[MAX_AXES], int *axes)
{
    unsigned char bytes[4 * (MAX_AXES + 1)];
    uint32_t words[MAX_AXES + 1] = {0};
    *axes = (int)(magic & 0xFF);
    int status = mfm_file_reader_read(reader, bytes, 4);
    for (int i = 0; status == MFM_OK && i <= *axes; i++) {
        if (i > 0)
            status = mfm_file_reader_read(reader, bytes + 4 * i, 4);
        words[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 |
                   (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
        if (i == 0 && words[0] > magic && words[0] - magic <= (uint32_t)(most - *axes))
            *axes += (int)(words[0] - magic);
        else if (i == 0 && words[0] != magic)
            return mfm_fail(ctx, MFM_EDATA, "%s: wrong magic number: 0x%08x: 0x%08x is required",
                            mfm_file_reader_path(reader), words[0], magic);
    }
    memcpy(sizes, words + 1, MAX_AXES * sizeof *sizes);
    return status;
}

/* The images of a file: [count, height, width], with channels behind or, first, before them. */
typedef struct layout {
    uint32_t count, height, width, channels;
    bool planes;
} layout;

/* Of four axes the last, else the second is that of the channels: the one that is short enough. */
static int read_layout(mfm_ctx *ctx, mfm_file_reader *reader, layout *l)
{
    uint32_t s[MAX_AXES];
    int axes;
    const int status = read_header(ctx, reader, MAGIC_IMAGES, MAX_AXES, s, &axes);
    if (status != MFM_OK)
        return status;
    const bool last = axes == 4 && s[3] <= MFM_DATA_CHANNELS;
    *l = axes == 3 ? (layout){s[0], s[1], s[2], 1, false}
         : last    ? (layout){s[0], s[1], s[2], s[3], false}
                   : (layout){s[0], s[2], s[3], s[1], true};
    if (l->channels >= 1 && l->channels <= MFM_DATA_CHANNELS)
        return MFM_OK;
    return mfm_fail(ctx, MFM_EDATA,
                    "%s: images of %u x %u x %u: the last axis or the first must be that of 1 to "
                    "%d channels",
                    mfm_file_reader_path(reader), s[1], s[2], s[3], MFM_DATA_CHANNELS);
}

/* Checked in steps that cannot overflow: sides up to 2^15 and a count below 2^32 make 2^62. */
static int check_sizes(mfm_ctx *ctx, mfm_file_reader *reader, const layout *l)
{
    const char *path = mfm_file_reader_path(reader);
    if (l->count == 0 || l->height == 0 || l->width == 0 || l->height > MAX_SIDE ||
        l->width > MAX_SIDE)
        return mfm_fail(ctx, MFM_EDATA,
                        "%s: wrong sizes: %u images of %u x %u: at least 1, sides up to %d", path,
                        l->count, l->height, l->width, MAX_SIDE);
    const uint64_t claimed = (uint64_t)l->count * l->height * l->width;
    if (claimed > mfm_file_reader_limit(reader) / l->channels)
        return mfm_fail(ctx, MFM_EDATA,
                        "%s: wrong sizes: %u images of %u x %u: more than the file can hold", path,
                        l->count, l->height, l->width);
    return MFM_OK;
}

static int set_shape(mfm_ctx *ctx, mfm_file_reader *reader, const layout *l, mfm_dataset *dataset)
{
    const int height = (int)l->height, width = (int)l->width, channels = (int)l->channels;
    if (dataset->channels && channels != dataset->channels)
        return mfm_fail(ctx, MFM_EDATA,
                        "%s: images of %d channels: those of the other part have %d",
                        mfm_file_reader_path(reader), channels, dataset->channels);
    if (dataset->channels && (height != dataset->height || width != dataset->width))
        return mfm_fail(
            ctx, MFM_EDATA, "%s: images of %d x %d: those of the other part are %d x %d",
            mfm_file_reader_path(reader), height, width, dataset->height, dataset->width);
    dataset->height = height;
    dataset->width = width;
    dataset->channels = channels;
    return MFM_OK;
}

/* Channels first in the file, last in memory. */
static int read_planes(mfm_ctx *ctx, mfm_file_reader *reader, const layout *l, mfm_images *images)
{
    const size_t plane = (size_t)l->height * l->width, size = plane * l->channels;
    uint8_t *one = mfm_alloc(ctx, size, 1), *to = images->pixels;
    int status = one ? MFM_OK : MFM_ENOMEM;
    for (uint32_t i = 0; status == MFM_OK && i < images->count; i++, to += size) {
        status = mfm_file_reader_read(reader, one, size);
        for (size_t c = 0; c < l->channels; c++)
            for (size_t p = 0; p < plane; p++)
                to[p * l->channels + c] = one[c * plane + p];
    }
    mfm_free(ctx, one);
    return status;
}

static int read_images(mfm_ctx *ctx, mfm_file_reader *reader, mfm_dataset *dataset,
                       mfm_images *images)
{
    layout l;
    int status = read_layout(ctx, reader, &l);
    if (status == MFM_OK)
        status = check_sizes(ctx, reader, &l);
    if (status == MFM_OK)
        status = set_shape(ctx, reader, &l, dataset);
    if (status == MFM_OK)
        status = mfm_images_new(ctx, dataset, l.count, images);
    if (status == MFM_OK)
        status = l.planes ? read_planes(ctx, reader, &l, images)
                          : mfm_file_reader_read(reader, images->pixels,
                                                 images->count * mfm_dataset_image_size(dataset));
    return status == MFM_OK ? mfm_file_reader_end(reader) : status;
}

static int read_labels(mfm_ctx *ctx, mfm_file_reader *reader, const mfm_dataset *dataset,
                       mfm_images *images)
{
    uint32_t sizes[MAX_AXES];
    int axes;
    int status = read_header(ctx, reader, MAGIC_LABELS, 1, sizes, &axes);
    if (status != MFM_OK)
        return status;
    if (sizes[0] != images->count)
        return mfm_fail(ctx, MFM_EDATA, "%s: %u labels: the file of the images holds %u",
                        mfm_file_reader_path(reader), sizes[0], images->count);
    const int first = dataset->first_label, last = first + dataset->classes - 1;
    for (uint32_t i = 0; i < images->count; i++) {
        unsigned char label;
        status = mfm_file_reader_read(reader, &label, 1);
        if (status != MFM_OK)
            return status;
        if (dataset->classes > 0 && (label < first || label > last))
            return mfm_fail(ctx, MFM_EDATA, "%s: image %u has label %u: the labels are %d to %d",
                            mfm_file_reader_path(reader), i, label, first, last);
        images->labels[i] = (uint16_t)(label - first);
    }
    return mfm_file_reader_end(reader);
}

int mfm_idx_read_part(mfm_ctx *ctx, const char *folder, enum mfm_part part, mfm_dataset *dataset,
                      mfm_images *images)
{
    mfm_file_reader *reader = NULL;
    int status = open_idx(ctx, folder, part, image_ends, &reader);
    if (status == MFM_OK)
        status = read_images(ctx, reader, dataset, images);
    mfm_file_reader_close(reader);
    if (status != MFM_OK)
        return status;
    reader = NULL;
    status = open_idx(ctx, folder, part, label_ends, &reader);
    if (status == MFM_OK)
        status = read_labels(ctx, reader, dataset, images);
    mfm_file_reader_close(reader);
    return status;
}
