#include "tools/options/groups/role_options.h"

#include "core/train/training.h"

static const char *none_trained(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return run->options->method->keeps_model ? "the method trains no tensor of the model" : NULL;
}

const mfm_option mfm_role_table[MFM_ROLE_OPTIONS] = {
    {.name = "freeze-before",
     .kind = MFM_OPTION_STRING,
     .value = "LAYER",
     .offset = offsetof(mfm_role_arguments, freeze_before),
     .silent_default = true,
     .idle = none_trained,
     .help = "train nothing in front of this layer, or block:N: what comes before runs in "
             "inference form, and only once for images that are read unchanged"},
    {.name = "freeze",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .offset = offsetof(mfm_role_arguments, freeze),
     .idle = none_trained,
     .help = "do not train this tensor, pattern, or layer with its normalisation, as inspect lists "
             "them; may be given several times"},
    {.name = "train-only",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .offset = offsetof(mfm_role_arguments, train_only),
     .idle = none_trained,
     .help = "train this alone, named in the same way; may be given several times"},
    {.name = "free",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .offset = offsetof(mfm_role_arguments, free),
     .idle = none_trained,
     .help = "train this although the rules, or an option above, fix it"},
    {.name = "lr-scale",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME=X",
     .offset = offsetof(mfm_role_arguments, rates),
     .idle = none_trained,
     .help =
         "train this at X times the learning rate; may be given several times, the last counts"},
};

mfm_role_choice mfm_role_choice_of(const mfm_role_arguments *a)
{
    return (mfm_role_choice){.freeze_before = a->freeze_before,
                             .freeze = a->freeze.item,
                             .n_freeze = a->freeze.count,
                             .train_only = a->train_only.item,
                             .n_train_only = a->train_only.count,
                             .free = a->free.item,
                             .n_free = a->free.count,
                             .rates = a->rates.item,
                             .n_rates = a->rates.count};
}
