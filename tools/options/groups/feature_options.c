#include "tools/options/groups/feature_options.h"

#include "core/train/methods/method.h"

const mfm_feature_arguments mfm_feature_defaults = {.memory = 1024};

static const char *one_form(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return run->augment->count ? NULL : "--augment is none: an image has one form";
}

static const char *no_cache(const void *values, const mfm_run_facts *run)
{
    const mfm_feature_arguments *a = values;
    (void)run;
    return a->cache ? NULL : "there is no --feature-cache";
}

const mfm_option mfm_feature_table[MFM_FEATURE_OPTIONS] = {
    {.name = "feature-memory",
     .kind = MFM_OPTION_REAL,
     .value = "MIB",
     .max = 1e9,
     .scope = MFM_OPTION_CHANGEABLE,
     .offset = offsetof(mfm_feature_arguments, memory),
     .help = "memory for the features that frozen layers make of images that are always read the "
             "same way, so that they are computed once; 0: compute them each time, or read them "
             "from --feature-cache, with the same results"},
    {.name = "feature-cache",
     .kind = MFM_OPTION_STRING,
     .value = "DIR",
     .scope = MFM_OPTION_CHANGEABLE,
     .path = MFM_OPTION_PATH,
     .offset = offsetof(mfm_feature_arguments, cache),
     .help = "folder that also keeps these features in a file, for the next run with the same "
             "frozen layers and for what --feature-memory has no room for"},
    {.name = "feature-cache-size",
     .kind = MFM_OPTION_REAL,
     .value = "MIB",
     .max = 1e9,
     .silent_default = true,
     .scope = MFM_OPTION_CHANGEABLE,
     .offset = offsetof(mfm_feature_arguments, cache_size),
     .idle = no_cache,
     .help = "limit for all files in --feature-cache: those of other models that were used least "
             "recently are removed, and this one stops growing (default: nothing is removed)"},
    {.name = "augmented-copies",
     .kind = MFM_OPTION_UINT,
     .value = "K",
     .max = 65536,
     .silent_default = true,
     .offset = offsetof(mfm_feature_arguments, copies),
     .idle = one_form,
     .help = "below frozen layers, augment each image K times and no more: a batch reads one of "
             "these copies, whose features are computed once; an approximation (default: augment "
             "anew each time)"},
};

void mfm_features_no_effect(mfm_ctx *ctx, const mfm_option_table *table,
                            const mfm_arguments *arguments, const char *reason)
{
    const char *names[MFM_FEATURE_OPTIONS + 1] = {NULL};
    for (size_t i = 0; i < MFM_FEATURE_OPTIONS; i++)
        names[i] = mfm_feature_table[i].name;
    mfm_options_no_effect(ctx, table, arguments, names, reason);
}
