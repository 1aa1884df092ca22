#include "core/data/sources/dataset.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/data/sources/dataset_kind.h"
#include "core/data/sources/source.h"

#define MFM_SOURCE(file) extern const mfm_dataset_kind mfm_dataset_##file;
#include "core/data/sources/sources.def"
#include "extra/sources.def"
#undef MFM_SOURCE

#define MFM_SOURCE(file) &mfm_dataset_##file,
static const mfm_dataset_kind *const kinds[] = {
#include "core/data/sources/sources.def"
#include "extra/sources.def"
};
#undef MFM_SOURCE

enum { KINDS = sizeof kinds / sizeof kinds[0] };

char *mfm_dataset_kinds(char text[MFM_DATASET_KINDS_TEXT])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < KINDS && used < MFM_DATASET_KINDS_TEXT; i++)
        used +=
            (size_t)snprintf(text + used, MFM_DATASET_KINDS_TEXT - used, "%s%s%s", i ? ", " : "",
                             kinds[i]->name, kinds[i]->folder ? "[:FOLDER]" : ":FOLDER");
    return text;
}

size_t mfm_dataset_image_size(const mfm_dataset *dataset)
{
    return (size_t)dataset->height * (size_t)dataset->width * (size_t)dataset->channels;
}

const void *mfm_images_content(const mfm_images *images, uint32_t index, size_t image_size,
                               size_t *size)
{
    *size = image_size * (images->numbers ? sizeof *images->numbers : 1);
    return images->numbers ? (const void *)(images->numbers + index * image_size)
                           : images->pixels + index * image_size;
}

int mfm_images_new(mfm_ctx *ctx, const mfm_dataset *dataset, uint64_t count, mfm_images *images)
{
    if (count == 0 || count > UINT32_MAX)
        return mfm_fail(ctx, MFM_EDATA, "dataset: %llu images: between 1 and 2^32 - 1",
                        (unsigned long long)count);
    images->pixels = mfm_alloc(ctx, (size_t)count, mfm_dataset_image_size(dataset));
    images->labels = mfm_alloc(ctx, (size_t)count, sizeof *images->labels);
    images->count = (uint32_t)count;
    return images->pixels && images->labels ? MFM_OK : MFM_ENOMEM;
}

void mfm_images_clear(mfm_ctx *ctx, mfm_images *images)
{
    if (images->source)
        images->source->free(ctx, images->self);
    mfm_free(ctx, images->pixels);
    mfm_free(ctx, images->numbers);
    mfm_free(ctx, images->labels);
    *images = (mfm_images){0};
}

static void free_names(mfm_ctx *ctx, mfm_dataset *dataset)
{
    for (int i = 0; dataset->class_names && i < dataset->classes; i++)
        mfm_free(ctx, dataset->class_names[i]);
    mfm_free(ctx, dataset->class_names);
    dataset->class_names = NULL;
}

int mfm_dataset_set_classes(mfm_ctx *ctx, mfm_dataset *dataset, int classes,
                            const char *const *names)
{
    free_names(ctx, dataset);
    dataset->classes = classes;
    dataset->class_names = mfm_alloc(ctx, (size_t)classes, sizeof *dataset->class_names);
    for (int i = 0; dataset->class_names && i < classes; i++) {
        char *name =
            names ? mfm_strdup(ctx, names[i]) : mfm_format(ctx, "%d", i + dataset->first_label);
        if (!name)
            return MFM_ENOMEM;
        dataset->class_names[i] = name;
    }
    return dataset->class_names ? MFM_OK : MFM_ENOMEM;
}

bool mfm_dataset_unnamed(const mfm_dataset *dataset)
{
    for (int i = 0; i < dataset->classes; i++) {
        char label[16];
        snprintf(label, sizeof label, "%d", i + dataset->first_label);
        if (strcmp(dataset->class_names[i], label) != 0)
            return false;
    }
    return true;
}

static int check_renumbering(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_images *images,
                             const char *part, int first)
{
    for (uint32_t i = 0; i < images->count; i++)
        if (images->labels[i] + dataset->first_label < first)
            return mfm_fail(ctx, MFM_EDATA, "%s: %s image %u has label %d: labels begin at %d here",
                            dataset->name, part, i, images->labels[i] + dataset->first_label,
                            first);
    return MFM_OK;
}

static void renumber(mfm_images *images, int by)
{
    for (uint32_t i = 0; i < images->count; i++)
        images->labels[i] = (uint16_t)(images->labels[i] + by);
}

int mfm_dataset_number_from(mfm_ctx *ctx, mfm_dataset *dataset, int first)
{
    const int by = dataset->first_label - first;
    int status = check_renumbering(ctx, dataset, &dataset->train, "training", first);
    if (status == MFM_OK)
        status = check_renumbering(ctx, dataset, &dataset->test, "test", first);
    if (status != MFM_OK || by == 0)
        return status;
    renumber(&dataset->train, by);
    renumber(&dataset->test, by);
    const int classes = dataset->classes + by;
    free_names(ctx, dataset);
    dataset->first_label = first;
    return mfm_dataset_set_classes(ctx, dataset, classes, NULL);
}

/* Mean and deviation from how often each byte occurs: exact sums, whatever the number of images. */
static void measure_channel(mfm_dataset *dataset, int channel)
{
    uint64_t occurs[256] = {0};
    const size_t pixels = dataset->train.count * mfm_dataset_image_size(dataset);
    for (size_t i = (size_t)channel; i < pixels; i += (size_t)dataset->channels)
        occurs[dataset->train.pixels[i]]++;
    const double count = (double)(pixels / (size_t)dataset->channels);
    double mean = 0, variance = 0;
    for (int value = 0; value < 256; value++)
        mean += (double)occurs[value] * value / 255;
    mean /= count;
    for (int value = 0; value < 256; value++)
        variance += (double)occurs[value] * (value / 255.0 - mean) * (value / 255.0 - mean);
    dataset->mean[channel] = mean;
    dataset->deviation[channel] = sqrt(variance / count);
}

void mfm_dataset_measure(mfm_dataset *dataset)
{
    for (int channel = 0; channel < dataset->channels; channel++)
        measure_channel(dataset, channel);
}

static const mfm_dataset_kind *find_kind(const char *specification, size_t length)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strlen(kinds[i]->name) == length && !memcmp(kinds[i]->name, specification, length))
            return kinds[i];
    return NULL;
}

const char *mfm_dataset_augment(const char *specification)
{
    const mfm_dataset_kind *kind = find_kind(specification, strcspn(specification, ":"));
    return kind && kind->augment ? kind->augment : "none";
}

bool mfm_dataset_of_files(const char *specification)
{
    const mfm_dataset_kind *kind = find_kind(specification, strcspn(specification, ":"));
    return kind && kind->files;
}

bool mfm_dataset_of_arrays(const char *specification)
{
    const mfm_dataset_kind *kind = find_kind(specification, strcspn(specification, ":"));
    return kind && kind->numbers;
}

int mfm_dataset_open(mfm_ctx *ctx, const char *specification, unsigned parts, mfm_dataset **result)
{
    static const mfm_dataset_options none;
    return mfm_dataset_open_with(ctx, specification, &none, parts, result);
}

int mfm_dataset_open_with(mfm_ctx *ctx, const char *specification,
                          const mfm_dataset_options *options, unsigned parts, mfm_dataset **result)
{
    *result = NULL;
    const size_t length = strcspn(specification, ":");
    const mfm_dataset_kind *kind = find_kind(specification, length);
    if (!kind) {
        char text[MFM_DATASET_KINDS_TEXT];
        return mfm_fail(ctx, MFM_EINVAL, "unknown kind of dataset: %s: one of %s", specification,
                        mfm_dataset_kinds(text));
    }
    const bool given = specification[length] == ':' && specification[length + 1] != '\0';
    const char *folder = given ? specification + length + 1 : kind->folder;
    if ((options->test_part > 0 || options->list) && !kind->files)
        return mfm_fail(ctx, MFM_EINVAL, "--%s: %s has a test part of its own",
                        options->list ? "list" : "test-part", kind->name);
    if (!folder)
        return mfm_fail(ctx, MFM_EINVAL, "dataset %s: no folder given: write %s:FOLDER", kind->name,
                        kind->name);
    mfm_dataset *dataset = mfm_alloc(ctx, 1, sizeof *dataset);
    if (!dataset)
        return MFM_ENOMEM;
    dataset->options = *options;
    dataset->name = mfm_strdup(ctx, specification);
    int status = dataset->name ? kind->read(ctx, folder, parts, dataset) : MFM_ENOMEM;
    dataset->options.list = NULL; /* the caller's */
    dataset->options.class_names = NULL;
    if (status != MFM_OK) {
        mfm_dataset_free(ctx, dataset);
        return status;
    }
    if (!(parts & MFM_PART_TRAIN))
        mfm_images_clear(ctx, &dataset->train);
    if (!(parts & MFM_PART_TEST))
        mfm_images_clear(ctx, &dataset->test);
    *result = dataset;
    return MFM_OK;
}

void mfm_dataset_free(mfm_ctx *ctx, mfm_dataset *dataset)
{
    if (!dataset)
        return;
    free_names(ctx, dataset);
    mfm_images_clear(ctx, &dataset->train);
    mfm_images_clear(ctx, &dataset->test);
    mfm_free(ctx, dataset->name);
    mfm_free(ctx, dataset);
}
