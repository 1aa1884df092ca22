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
     .help =
         "nothing that this layer, or block:N, reads is trained: it runs in inference form, and "
         "of images that are read unchanged only once"},
    {.name = "freeze",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .offset = offsetof(mfm_role_arguments, freeze),
     .idle = none_trained,
     .help = "tensor that is not trained, a pattern, or a layer with its normalisation, as inspect "
             "lists them; may be given several times"},
    {.name = "train-only",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .offset = offsetof(mfm_role_arguments, train_only),
     .idle = none_trained,
     .help = "the same the other way round: all else is not trained"},
    {.name = "free",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME",
     .offset = offsetof(mfm_role_arguments, free),
     .idle = none_trained,
     .help = "what is trained though the rules fix it, or an option above freezes it"},
    {.name = "lr-scale",
     .kind = MFM_OPTION_STRINGS,
     .value = "NAME=X",
     .offset = offsetof(mfm_role_arguments, rates),
     .idle = none_trained,
     .help = "what is trained at X times the learning rate; may be given several times, the last "
             "counts"},
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
