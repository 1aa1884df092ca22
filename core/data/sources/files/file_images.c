#include "core/data/sources/files/file_images.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "core/data/fnv.h"
#include "core/data/images/decoder.h"
#include "core/data/images/fit_picture.h"

/* ---- the list ---- */

int mfm_file_list_add(mfm_ctx *ctx, mfm_file_list *list, const char *path, uint64_t size,
                      mfm_file_id id, int label)
{
    if (list->count == UINT32_MAX)
        return mfm_fail(ctx, MFM_EDATA, "%s: more than 2^32 - 1 images", path);
    int status = mfm_grow(ctx, &list->paths, list->count, &list->path_room, sizeof *list->paths);
    if (status == MFM_OK)
        status = mfm_grow(ctx, &list->sizes, list->count, &list->size_room, sizeof *list->sizes);
    if (status == MFM_OK)
        status = mfm_grow(ctx, &list->ids, list->count, &list->id_room, sizeof *list->ids);
    if (status == MFM_OK)
        status = mfm_grow(ctx, &list->labels, list->count, &list->label_room, sizeof *list->labels);
    char *copy = status == MFM_OK ? mfm_strdup(ctx, path) : NULL;
    if (!copy)
        return MFM_ENOMEM;
    list->paths[list->count] = copy;
    list->sizes[list->count] = size;
    list->ids[list->count] = id;
    list->labels[list->count++] = (uint16_t)label;
    return MFM_OK;
}

void mfm_file_list_clear(mfm_ctx *ctx, mfm_file_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        mfm_free(ctx, list->paths[i]);
    mfm_free(ctx, list->paths);
    mfm_free(ctx, list->sizes);
    mfm_free(ctx, list->ids);
    mfm_free(ctx, list->labels);
    *list = (mfm_file_list){0};
}

/* ---- the source ---- */

struct files {
    char *folder;
    mfm_file_list list; /* without the labels, which the part has, and ids */
    mfm_bad_images *bad;
    size_t memory; /* of each reader, in bytes; 0: no budget */
};

struct reader {
    const struct files *files;
    mfm_decoder *decoder;
    uint32_t index;
    char path[4096];
};

static void close_files(mfm_ctx *ctx, void *self)
{
    struct reader *reader = self;
    mfm_decoder_free(reader->decoder);
    mfm_free(ctx, reader);
}

static int open_files(mfm_ctx *ctx, const void *self, void **result)
{
    struct reader *reader = mfm_alloc(ctx, 1, sizeof *reader);
    *result = NULL;
    if (!reader)
        return MFM_ENOMEM;
    reader->files = self;
    reader->decoder = mfm_decoder_new();
    if (!reader->decoder) {
        mfm_free(ctx, reader);
        return mfm_fail(ctx, MFM_ENOMEM, "images: out of memory");
    }
    mfm_decoder_set_memory(reader->decoder, reader->files->memory);
    *result = reader;
    return MFM_OK;
}

static int note(const struct reader *reader, const mfm_picture *picture, int status)
{
    if (status == MFM_EDATA || status == MFM_EIO)
        mfm_bad_images_note(reader->files->bad, reader->index, picture->message);
    return status;
}

/* reader->path becomes that of the image. */
static int find(struct reader *reader, uint32_t index, mfm_picture *picture)
{
    const struct files *files = reader->files;
    const char *path = files->list.paths[index];
    reader->index = index;
    const int length =
        snprintf(reader->path, sizeof reader->path, "%s%s%s", path[0] == '/' ? "" : files->folder,
                 path[0] == '/' ? "" : "/", path);
    if (length < 0 || (size_t)length >= sizeof reader->path) {
        snprintf(picture->message, sizeof picture->message, "%.200s...: a path of up to %zu bytes",
                 path, sizeof reader->path - 1);
        return MFM_EDATA;
    }
    return MFM_OK;
}

static int begin(void *self, uint32_t index, mfm_picture *picture)
{
    struct reader *reader = self;
    const int status = find(reader, index, picture);
    return note(reader, picture,
                status ? status : mfm_decoder_begin(reader->decoder, reader->path, picture));
}

static int digest(void *self, uint32_t index, mfm_picture *picture, mfm_digest *result)
{
    struct reader *reader = self;
    const int status = find(reader, index, picture);
    return status ? status : mfm_decoder_digest(reader->decoder, reader->path, picture, result);
}

static int pixels(void *self, int reduce, mfm_picture *picture)
{
    struct reader *reader = self;
    return note(reader, picture, mfm_decoder_pixels(reader->decoder, reduce, picture));
}

static const char *path(const void *self, uint32_t index)
{
    const struct files *files = self;
    return files->list.paths[index];
}

static uint64_t hash(const void *self, uint32_t index, uint64_t start)
{
    const struct files *files = self;
    const char *path = files->list.paths[index];
    return mfm_fnv_number(mfm_fnv(start, path, strlen(path) + 1), files->list.sizes[index], 8);
}

static void free_files(mfm_ctx *ctx, void *self)
{
    struct files *files = self;
    mfm_file_list_clear(ctx, &files->list);
    mfm_bad_images_free(ctx, files->bad);
    mfm_free(ctx, files->folder);
    mfm_free(ctx, files);
}

static const mfm_source_kind kind = {.open = open_files,
                                     .close = close_files,
                                     .begin = begin,
                                     .pixels = pixels,
                                     .digest = digest,
                                     .hash = hash,
                                     .path = path,
                                     .free = free_files,
                                     .decodes = true};

/* Each thread reads training images, meta images, and images that are evaluated. */
enum { READERS_A_THREAD = 3 };

int mfm_file_images_readers(void)
{
    return READERS_A_THREAD * omp_get_max_threads();
}

static size_t share_of(uint64_t mib)
{
    return (size_t)(mib << 20) / (size_t)mfm_file_images_readers();
}

int mfm_file_images_new(mfm_ctx *ctx, const char *folder, const mfm_dataset_options *options,
                        mfm_file_list *list, mfm_images *images)
{
    struct files *files = mfm_alloc(ctx, 1, sizeof *files);
    if (!files)
        return MFM_ENOMEM;
    files->folder = mfm_strdup(ctx, folder);
    if (!files->folder || mfm_bad_images_new(ctx, folder, list->count, &files->bad)) {
        free_files(ctx, files);
        return MFM_ENOMEM;
    }
    *images = (mfm_images){.count = list->count,
                           .labels = list->labels,
                           .source = &kind,
                           .self = files,
                           .bad = files->bad,
                           .skips = options->on_bad == MFM_BAD_SKIP};
    files->memory = share_of(options->memory);
    mfm_free(ctx, list->ids);
    list->ids = NULL;
    list->labels = NULL;
    files->list = *list;
    *list = (mfm_file_list){0};
    return MFM_OK;
}

/* ---- mean and deviation ---- */

enum { SAMPLES = 400, LEAST_SIDE = 256, FORMS = 4 };

/* How often each byte occurs in red, green, blue and grey. */
typedef uint64_t histogram[FORMS][256];

static int count_bytes(mfm_reader *reader, uint32_t index, histogram occurs)
{
    const mfm_picture *p = mfm_reader_picture(reader);
    int status = mfm_reader_begin(reader, index), reduce = 8;
    if (status != MFM_OK)
        return status;
    const int side = p->height < p->width ? p->height : p->width;
    while (reduce > 1 && side < reduce * LEAST_SIDE)
        reduce /= 2;
    status = mfm_reader_pixels(reader, reduce);
    if (status != MFM_OK)
        return status;
    const size_t places = (size_t)p->height * (size_t)p->width;
    for (size_t i = 0; i < places; i++) {
        const uint8_t *colour = p->pixels + 3 * i;
        for (int c = 0; c < 3; c++)
            occurs[c][colour[c]]++;
        occurs[3][mfm_grey_of(colour)]++;
    }
    return MFM_OK;
}

static void moments(const uint64_t occurs[256], double *mean, double *deviation)
{
    double count = 0, sum = 0, squares = 0;
    for (int value = 0; value < 256; value++) {
        count += (double)occurs[value];
        sum += (double)occurs[value] * value / 255;
    }
    *mean = sum / count;
    for (int value = 0; value < 256; value++) {
        const double off = value / 255.0 - *mean;
        squares += (double)occurs[value] * off * off;
    }
    *deviation = sqrt(squares / count);
}

int mfm_file_images_measure(mfm_ctx *ctx, mfm_dataset *dataset)
{
    const mfm_images *images = &dataset->train;
    mfm_reader *reader;
    dataset->channels = 3;
    dataset->unmeasured = images->count == 0;
    if (images->count == 0)
        return MFM_OK;
    histogram *occurs = mfm_alloc(ctx, 1, sizeof *occurs);
    int status = occurs ? mfm_reader_open(ctx, images, 0, 0, 0, &reader) : MFM_ENOMEM;
    if (status != MFM_OK) {
        mfm_free(ctx, occurs);
        return status;
    }
    const uint32_t samples = images->count < SAMPLES ? images->count : SAMPLES;
    for (uint32_t i = 0; status == MFM_OK && i < samples; i++) {
        status = count_bytes(reader, (uint32_t)((uint64_t)i * images->count / samples), *occurs);
        if (mfm_images_skip(images, status))
            status = MFM_OK;
        else if (status != MFM_OK)
            mfm_fail(ctx, status, "%s", mfm_reader_picture(reader)->message);
    }
    mfm_images_tell(ctx, images, false);
    for (int c = 0; status == MFM_OK && c < FORMS; c++)
        moments((*occurs)[c], &dataset->mean[c], &dataset->deviation[c]);
    if (status == MFM_OK && !isfinite(dataset->mean[0]))
        status =
            mfm_fail(ctx, MFM_EDATA, "%s: none of %u images can be read", dataset->name, samples);
    mfm_reader_close(ctx, reader);
    mfm_free(ctx, occurs);
    return status;
}
