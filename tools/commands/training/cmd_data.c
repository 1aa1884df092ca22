#include <stdio.h>
#include <string.h>

#include "core/data/check_images.h"
#include "core/data/preprocess.h"
#include "core/data/sources/files/image_list.h"
#include "onnx/info/preprocess_info.h"
#include "tools/files.h"
#include "tools/options/groups/data_options.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"

typedef struct options {
    mfm_dataset_options parts;
    mfm_split_arguments split;
    bool json, check;
    const char *write_list;
} options;

static const mfm_option table[] = {
    {.name = "check-images",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, check),
     .help = "read every image and list those that cannot be read: exit status 1"},
    {.name = "write-list",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(options, write_list),
     .help = "write the image files with their class and part, for --list"},
    MFM_JSON_OPTION(options, json),
};

static void print_kinds(void)
{
    char text[MFM_DATASET_KINDS_TEXT];
    printf("DATA is one of %s.\n", mfm_dataset_kinds(text));
}

static const mfm_option_table data_options = {
    .positional = "DATA",
    .purpose = "Describes a dataset and the long-tailed split that training would use: the same\n"
               "options and seed choose the same images, and the hash shows whether they did.",
    .more = print_kinds,
    .groups = (const mfm_option_group[]){
        {.title = "Split:",
         .options = mfm_split_table,
         .count = MFM_SPLIT_OPTIONS,
         .base = offsetof(options, split)},
        {.title = "Test images:",
         .options = mfm_part_table,
         .count = MFM_PART_OPTIONS,
         .base = offsetof(options, parts)},
        {.title = "Output:", .options = table, .count = sizeof table / sizeof table[0]},
        {.title = NULL}}};

static uint32_t count_label(const mfm_images *images, int label)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < images->count; i++)
        count += images->labels[i] == label;
    return count;
}

static json_t *describe_class(const mfm_dataset *d, const mfm_split *s, int c)
{
    return json_pack("{s:o, s:i, s:i, s:i, s:i, s:i}", "name", mfm_json_text(d->class_names[c]),
                     "available", (int)count_label(&d->train, c), "train",
                     (int)s->train_per_class[c], "meta", (int)s->meta_per_class[c], "validation",
                     (int)s->validation_per_class[c], "test", (int)count_label(&d->test, c));
}

/* How a model for images as they are would read them; null for what cannot be normalised. */
static int describe_preprocess(mfm_ctx *ctx, const mfm_dataset *d, json_t **object)
{
    static const mfm_augment none;
    mfm_preprocess preprocess;
    *object = json_null();
    if (d->height == 0 || d->row.rank) /* the model decides */
        return MFM_OK;
    char *text;
    int status = mfm_preprocess_init(ctx, d, d->channels, d->height, d->width, false, NULL, &none,
                                     &preprocess);
    if (status) {
        mfm_warn(ctx, "%s: no model can be trained on it", mfm_message(ctx));
        return MFM_OK;
    }
    status = mfm_preprocess_info_text(ctx, &preprocess, false, &text);
    if (!status)
        *object = json_loads(text, 0, NULL);
    mfm_free(ctx, text);
    return status;
}

/* Of images channels, height and width, whatever their order in the files. */
static json_t *shape_json(const mfm_dataset *d)
{
    if (!d->row.rank)
        return json_pack("[i,i,i]", d->channels, d->height, d->width);
    json_t *shape = json_array();
    for (int i = 0; i < d->row.rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)d->row.dim[i]));
    return shape;
}

static int print_as_json(mfm_ctx *ctx, const mfm_dataset *d, const mfm_split *s, const options *o)
{
    char hash[17], test_hash[17];
    json_t *preprocess;
    const int status = describe_preprocess(ctx, d, &preprocess);
    if (status)
        return status;
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)s->hash);
    snprintf(test_hash, sizeof test_hash, "%016llx", (unsigned long long)mfm_test_hash(d));
    json_t *classes = json_array();
    for (int c = 0; c < d->classes; c++)
        json_array_append_new(classes, describe_class(d, s, c));
    return mfm_print_json(
        ctx, json_pack("{s:o, s:o, s:o, s:i, s:f, s:i, s:i, s:i, s:i, s:s, s:s, s:o}", "data",
                       mfm_json_text(d->name), "shape", shape_json(d), "preprocess", preprocess,
                       "first_label", d->first_label, "imbalance", o->split.imbalance, "train",
                       (int)s->train_count, "meta", (int)s->meta_count, "validation",
                       (int)s->validation_count, "test", (int)d->test.count, "hash", hash,
                       "test_hash", test_hash, "classes", classes));
}

static void print_numbers(const char *what, const double *numbers, int count)
{
    printf("%s", what);
    for (int i = 0; i < count; i++)
        printf("%s%.6g", i ? ", " : " ", numbers[i]);
}

/* name, available, train, meta, validation where there is such a part, test. */
static void print_row(int width, const char *name, const uint32_t counts[5], bool validation)
{
    mfm_print_name(stdout, name, width);
    printf("  %10u  %8u  %6u", counts[0], counts[1], counts[2]);
    if (validation)
        printf("  %10u", counts[3]);
    printf("  %6u\n", counts[4]);
}

static void print_as_table(const mfm_dataset *d, const mfm_split *s, const options *o)
{
    int width = mfm_columns("class");
    const bool validation = s->validation_count > 0;
    for (int c = 0; c < d->classes; c++) {
        const int name = mfm_columns(d->class_names[c]);
        width = name > width ? name : width;
    }
    char shape[MFM_SHAPE_TEXT];
    if (d->row.rank)
        printf("%s: rows of shape %s, %d classes\n", d->name, mfm_shape_text(&d->row, shape),
               d->classes);
    else if (d->height)
        printf("%s: images of %d x %d x %d (channels, height, width), %d classes\n", d->name,
               d->channels, d->height, d->width, d->classes);
    else
        printf("%s: images of any size in %d channels, %d classes\n", d->name, d->channels,
               d->classes);
    if (!d->row.rank) {
        print_numbers("bytes / 255: mean", d->mean, d->channels);
        print_numbers("; deviation", d->deviation, d->channels);
        printf("\n");
    }
    printf("imbalance %g, split %016llx\n\n", o->split.imbalance, (unsigned long long)s->hash);
    printf("%-*s  %10s  %8s  %6s%s  %6s\n", width, "class", "available", "train", "meta",
           validation ? "  validation" : "", "test");
    for (int c = 0; c < d->classes; c++)
        print_row(width, d->class_names[c],
                  (const uint32_t[]){count_label(&d->train, c), s->train_per_class[c],
                                     s->meta_per_class[c], s->validation_per_class[c],
                                     count_label(&d->test, c)},
                  validation);
    print_row(width, "all",
              (const uint32_t[]){d->train.count, s->train_count, s->meta_count, s->validation_count,
                                 d->test.count},
              validation);
}

static int check_images(mfm_ctx *ctx, const mfm_dataset *d)
{
    uint32_t train, test = 0;
    int status = mfm_images_check(ctx, &d->train, &train);
    if (!status)
        status = mfm_images_check(ctx, &d->test, &test);
    if (status || train + test == 0)
        return status;
    return mfm_fail(ctx, MFM_ENAN, "%s: %u of %u images cannot be read", d->name, train + test,
                    d->train.count + d->test.count);
}

static int describe(mfm_ctx *ctx, const char *specification, const options *o)
{
    mfm_dataset *dataset = NULL;
    mfm_split *split = NULL;
    int status =
        mfm_open_data(ctx, specification, &o->parts, MFM_PART_TRAIN | MFM_PART_TEST, &dataset);
    if (!status)
        status = mfm_make_split(ctx, dataset, &o->split, &split);
    if (!status && o->write_list)
        status = mfm_image_list_write(
            ctx, strcmp(o->write_list, "-") == 0 ? "/dev/stdout" : o->write_list, dataset);
    if (!status && o->json)
        status = print_as_json(ctx, dataset, split, o);
    else if (!status)
        print_as_table(dataset, split, o);
    if (!status && o->check)
        status = check_images(ctx, dataset);
    mfm_split_free(ctx, split);
    mfm_dataset_free(ctx, dataset);
    return status;
}

int mfm_cmd_data(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.split = mfm_split_defaults};
    mfm_arguments arguments;
    int status = mfm_options_parse(ctx, &data_options, argc, argv, &o, &arguments);
    if (!status && o.write_list)
        status = mfm_check_output(ctx, o.write_list, o.parts.list);
    if (!status)
        status = describe(ctx, arguments.positional, &o);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
