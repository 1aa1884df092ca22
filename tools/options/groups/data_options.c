#include "tools/options/groups/data_options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/train/training.h"

static const char *const meta_from_names[] = {
    [MFM_META_DISJOINT] = "disjoint", [MFM_META_COPY] = "copy", NULL};

static const char *const meta_cap_names[] = {
    [MFM_META_CAP_PER_CLASS] = "per-class", [MFM_META_CAP_RAREST] = "rarest", NULL};

const char *const mfm_normalise_names[] = {
    [MFM_NORMALISE_MODEL] = "model", [MFM_NORMALISE_DATA] = "data", NULL};

const mfm_split_arguments mfm_split_defaults = {.imbalance = 1,
                                                .meta_per_class = 10,
                                                .meta_from = MFM_META_COPY,
                                                .meta_cap = MFM_META_CAP_PER_CLASS,
                                                .validation = "none"};

static const char *no_meta_set(const void *values, const mfm_run_facts *run)
{
    const mfm_split_arguments *s = values;
    return s->meta_from == MFM_META_DISJOINT ? NULL : mfm_no_meta_set(NULL, run);
}

static const char *nothing_capped(const void *values, const mfm_run_facts *run)
{
    const mfm_split_arguments *s = values;
    return s->meta_from == MFM_META_DISJOINT ? "a disjoint meta set has what it asks"
                                             : mfm_no_meta_set(NULL, run);
}

/* All training images are trained on, and none chosen for another part. */
static const char *nothing_chosen(const void *values, const mfm_run_facts *run)
{
    const mfm_split_arguments *s = values;
    const bool whole = s->imbalance == 1 && s->max_per_class == 0 &&
                       strcmp(s->validation, "none") == 0 && no_meta_set(values, run);
    return whole ? "all training images are used" : NULL;
}

const mfm_option mfm_split_table[MFM_SPLIT_OPTIONS] = {
    {.name = "imbalance",
     .kind = MFM_OPTION_REAL,
     .value = "F",
     .min = 1,
     .max = 1e9,
     .offset = offsetof(mfm_split_arguments, imbalance),
     .help = "largest class over smallest class, in training images"},
    {.name = "max-per-class",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = UINT32_MAX,
     .offset = offsetof(mfm_split_arguments, max_per_class),
     .silent_default = true,
     .help = "images of the largest class (default: the mean over the classes)"},
    {.name = "meta-per-class",
     .kind = MFM_OPTION_UINT,
     .value = "K",
     .max = UINT32_MAX,
     .offset = offsetof(mfm_split_arguments, meta_per_class),
     .idle = no_meta_set,
     .help = "images per class in the balanced meta set"},
    {.name = "meta-from",
     .kind = MFM_OPTION_CHOICE,
     .value = "HOW",
     .choices = meta_from_names,
     .offset = offsetof(mfm_split_arguments, meta_from),
     .help = "take meta images out of the training images, or copy them"},
    {.name = "meta-cap",
     .kind = MFM_OPTION_CHOICE,
     .value = "HOW",
     .choices = meta_cap_names,
     .offset = offsetof(mfm_split_arguments, meta_cap),
     .idle = nothing_capped,
     .help = "when a class has fewer than K images to copy: each class gives what it has, or all "
             "give as many as the rarest"},
    {.name = "validation",
     .kind = MFM_OPTION_STRING,
     .value = "PART",
     .offset = offsetof(mfm_split_arguments, validation),
     .help = "images set apart to choose the best epoch by: disjoint:K takes K of each class out "
             "of the training images, a share such as 0.1 that part of each class; none"},
    {.name = "split-seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     .offset = offsetof(mfm_split_arguments, split_seed),
     .idle = nothing_chosen,
     .help = "seed that chooses which images are kept"},
};

static const char *const on_bad_names[] = {[MFM_BAD_STOP] = "stop", [MFM_BAD_SKIP] = "skip", NULL};

static const char *none_taken_out(const void *values, const mfm_run_facts *run)
{
    (void)run;
    return ((const mfm_dataset_options *)values)->test_part > 0 ? NULL : "--test-part takes none";
}

static const char *no_files(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return run->files ? NULL : "the images are not files of their own";
}

const mfm_option mfm_part_table[MFM_PART_OPTIONS] = {
    {.name = "list",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(mfm_dataset_options, list),
     .path = MFM_OPTION_PATH,
     .help = "the images of folder:DIR, one per line: PATH CLASS, and train or test where the list "
             "divides them; the images.txt of a run is such a list"},
    {.name = "test-part",
     .kind = MFM_OPTION_REAL,
     .value = "F",
     .max = 0.99,
     .offset = offsetof(mfm_dataset_options, test_part),
     .silent_default = true,
     .help = "share of each class to set apart for testing, where the dataset is not divided (0.4: "
             "four of ten images)"},
    {.name = "test-seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     .offset = offsetof(mfm_dataset_options, test_seed),
     .silent_default = true,
     .idle = none_taken_out,
     .help = "seed that chooses them (default: 0)"},
    {.name = "data-memory",
     .kind = MFM_OPTION_UINT,
     .value = "MIB",
     .max = 1 << 30,
     .offset = offsetof(mfm_dataset_options, memory),
     .silent_default = true,
     .help = "memory that decoding may take, over all threads; an image that could take more than "
             "its share counts as unreadable (default: no budget, images of up to 2^26 pixels)"},
    {.name = "on-bad-image",
     .kind = MFM_OPTION_CHOICE,
     .value = "HOW",
     .choices = on_bad_names,
     .offset = offsetof(mfm_dataset_options, on_bad),
     .idle = no_files,
     .help = "what to do with an image that cannot be read: stop at the first, or skip each with a "
             "warning and count it"},
};

int mfm_fit_of(mfm_ctx *ctx, bool fit, bool pad, enum mfm_fit_how *how)
{
    if (fit && pad)
        return mfm_fail(ctx, MFM_EUSAGE, "--fit and --pad: give one of them");
    *how = fit ? MFM_FIT_RESIZE : pad ? MFM_FIT_PAD : MFM_FIT_NONE;
    return MFM_OK;
}

void mfm_print_augmentations(void)
{
    printf("\nAugmentations (numbers follow the name, divided by colons):\n");
    for (size_t i = 0; mfm_augmentations[i]; i++) {
        const mfm_augmentation *kind = mfm_augmentations[i];
        printf("  %-22s %s", kind->name, kind->summary);
        for (int k = 0; k < MFM_AUGMENT_ARGUMENTS && kind->arguments[k].name; k++)
            printf("%s%s %g", k ? ", " : " (", kind->arguments[k].name, kind->arguments[k].initial);
        printf("%s\n", kind->arguments[0].name ? ")" : "");
    }
}

int mfm_open_data(mfm_ctx *ctx, const char *specification, const mfm_dataset_options *options,
                  unsigned parts, mfm_dataset **dataset)
{
    const int status = mfm_dataset_open_with(ctx, specification, options, parts, dataset);
    return status == MFM_EINVAL ? MFM_EUSAGE : status;
}

/* "disjoint:K", a share, or "none". */
static int read_validation(mfm_ctx *ctx, const char *text, mfm_split_options *options)
{
    static const char prefix[] = "disjoint:";
    char *end = NULL;
    if (strcmp(text, "none") == 0)
        return MFM_OK;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0) {
        const char *digits = text + sizeof prefix - 1;
        errno = 0;
        const unsigned long long count = strtoull(digits, &end, 10);
        if (*digits >= '0' && *digits <= '9' && !*end && !errno && count >= 1 &&
            count <= UINT32_MAX) {
            options->validation_per_class = (uint32_t)count;
            return MFM_OK;
        }
    } else if ((*text >= '0' && *text <= '9') || *text == '.') {
        options->validation_share = strtod(text, &end);
        if (!*end && options->validation_share > 0 && options->validation_share < 1)
            return MFM_OK;
    }
    return mfm_fail(ctx, MFM_EUSAGE,
                    "--validation: %.80s: expected disjoint:K with K from 1 up, a share between 0 "
                    "and 1, or none",
                    text);
}

int mfm_split_options_of(mfm_ctx *ctx, const mfm_split_arguments *arguments,
                         mfm_split_options *options)
{
    *options = (mfm_split_options){.imbalance = arguments->imbalance,
                                   .max_per_class = (uint32_t)arguments->max_per_class,
                                   .meta_per_class = (uint32_t)arguments->meta_per_class,
                                   .meta_from = (enum mfm_meta_from)arguments->meta_from,
                                   .meta_cap = (enum mfm_meta_cap)arguments->meta_cap,
                                   .meta_unread = arguments->meta_unread,
                                   .seed = arguments->split_seed};
    return read_validation(ctx, arguments->validation, options);
}

int mfm_make_split(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_split_arguments *arguments,
                   mfm_split **split)
{
    mfm_split_options options;
    *split = NULL;
    const int status = mfm_split_options_of(ctx, arguments, &options);
    return status ? status : mfm_split_new(ctx, dataset, &options, split);
}
