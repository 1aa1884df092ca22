#include "tools/data_options.h"

static const char *const meta_from_names[] = {
    [MFM_META_DISJOINT] = "disjoint", [MFM_META_COPY] = "copy", NULL};

const char *const mfm_normalise_names[] = {
    [MFM_NORMALISE_MODEL] = "model", [MFM_NORMALISE_DATA] = "data", NULL};

const mfm_split_arguments mfm_split_defaults = {
    .imbalance = 1, .meta_per_class = 10, .meta_from = MFM_META_COPY};

const mfm_option mfm_split_table[MFM_SPLIT_OPTIONS] = {
    {.name = "imbalance",
     .kind = MFM_OPTION_REAL,
     .value = "F",
     .min = -1e9, /* below 1 the split itself says what is wrong */
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
     .help = "images per class in the balanced meta set"},
    {.name = "meta-from",
     .kind = MFM_OPTION_CHOICE,
     .value = "HOW",
     .choices = meta_from_names,
     .offset = offsetof(mfm_split_arguments, meta_from),
     .help = "meta images are taken out of the training images, or copied from them"},
    {.name = "split-seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     .offset = offsetof(mfm_split_arguments, split_seed),
     .help = "seed that chooses which images are kept"},
};

int mfm_open_data(mfm_ctx *ctx, const char *specification, unsigned parts, mfm_dataset **dataset)
{
    const int status = mfm_dataset_open(ctx, specification, parts, dataset);
    return status == MFM_EINVAL ? MFM_EUSAGE : status;
}

mfm_split_options mfm_split_options_of(const mfm_split_arguments *arguments)
{
    return (mfm_split_options){.imbalance = arguments->imbalance,
                               .max_per_class = (uint32_t)arguments->max_per_class,
                               .meta_per_class = (uint32_t)arguments->meta_per_class,
                               .meta_from = (enum mfm_meta_from)arguments->meta_from,
                               .seed = arguments->split_seed};
}

int mfm_make_split(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_split_arguments *arguments,
                   mfm_split **split)
{
    const mfm_split_options options = mfm_split_options_of(arguments);
    return mfm_split_new(ctx, dataset, &options, split);
}
