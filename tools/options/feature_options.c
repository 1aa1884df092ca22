#include "tools/options/feature_options.h"

const mfm_feature_arguments mfm_feature_defaults = {.memory = 1024};

const mfm_option mfm_feature_table[MFM_FEATURE_OPTIONS] = {
    {.name = "feature-memory",
     .kind = MFM_OPTION_REAL,
     .value = "MIB",
     .max = 1e9,
     .scope = MFM_OPTION_CHANGEABLE,
     .offset = offsetof(mfm_feature_arguments, memory),
     .help = "memory for the features that frozen layers make of images which are always read the "
             "same way: they are computed once; 0: each time, with the same results"},
};

void mfm_features_no_effect(mfm_ctx *ctx, const mfm_option_table *table,
                            const mfm_arguments *arguments, const char *reason)
{
    const char *names[MFM_FEATURE_OPTIONS + 1] = {NULL};
    for (size_t i = 0; i < MFM_FEATURE_OPTIONS; i++)
        names[i] = mfm_feature_table[i].name;
    mfm_options_no_effect(ctx, table, arguments, names, reason);
}
