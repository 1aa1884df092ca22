#include "tools/options/groups/inject_arguments.h"

#include "core/train/training.h"
#include "onnx/surgery/inject.h"

static const char *const positions[] = {[MFM_AT_NORM] = "norm",
                                        [MFM_AT_CONV] = "conv",
                                        [MFM_AT_ACT] = "act",
                                        [MFM_AT_BLOCK] = "block",
                                        [MFM_POSITIONS] = NULL};
static const char *const modulations[] = {[MFM_SCALED_SOFTMAX] = "scaled-softmax",
                                          [MFM_SCALED_SIGMOID] = "scaled-sigmoid",
                                          [MFM_FILM] = "film",
                                          [MFM_ATTENTION] = "attention",
                                          [MFM_GATED] = "gated",
                                          [MFM_MODULATIONS] = NULL};

const mfm_inject_arguments mfm_inject_defaults = {
    .position = MFM_AT_NORM, .modulation = MFM_SCALED_SOFTMAX, .hidden = 100};

static const char *no_network(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return run->options->method->free_modulation
               ? "parameters of each image take the place of the modulator's network"
               : NULL;
}

const mfm_option mfm_inject_table[MFM_INJECT_OPTIONS] = {
    {.name = "layer",
     .kind = MFM_OPTION_STRINGS,
     .value = "L",
     .offset = offsetof(mfm_inject_arguments, layers),
     .help = "layer to modulate, may be given several times: last_conv, last_features, first_conv, "
             "conv:3, conv:-2, fc:1, block:2, a node's or output's name, or a pattern (default: "
             "last_conv); inspect lists them"},
    {.name = "position",
     .kind = MFM_OPTION_CHOICE,
     .value = "WHERE",
     .choices = positions,
     .offset = offsetof(mfm_inject_arguments, position),
     .help = "where to modulate: after the layer's own normalisation, directly after the layer, "
             "after its activation, or after the residual block"},
    {.name = "modulation",
     .kind = MFM_OPTION_CHOICE,
     .value = "FORM",
     .choices = modulations,
     .offset = offsetof(mfm_inject_arguments, modulation),
     .idle = no_network,
     .help =
         "how the scale comes from the modulator network; attention and gated, as in the paper, "
         "have no shift and do not start as the identity: scaled-sigmoid and scaled-softmax with "
         "--no-shift are the same scaled to start at 1"},
    {.name = "hidden",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(mfm_inject_arguments, hidden),
     .idle = no_network,
     .help = "neurons in the modulator's hidden layer"},
    {.name = "hash-dim",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 65536,
     .offset = offsetof(mfm_inject_arguments, hash_dim),
     .silent_default = true,
     .idle = no_network,
     .help = "values the modulator makes, spread over the channels by hashing (default: one per "
             "channel)"},
    {.name = "no-scale",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(mfm_inject_arguments, no_scale),
     .help = "shift only: the scale stays 1"},
    {.name = "no-shift",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(mfm_inject_arguments, no_shift),
     .help = "scale only: the shift stays 0 (for forms that have one)"},
};

int mfm_inject_as_asked(mfm_ctx *ctx, mfm_model *model, const mfm_inject_arguments *a,
                        uint64_t classes, uint64_t seed)
{
    const mfm_inject_options options = {.layers = a->layers.item,
                                        .n_layers = a->layers.count,
                                        .position = (mfm_position)a->position,
                                        .modulation = (mfm_modulation)a->modulation,
                                        .hidden = (int)a->hidden,
                                        .classes = (int)classes,
                                        .hash_dim = (int)a->hash_dim,
                                        .no_scale = a->no_scale,
                                        .no_shift = a->no_shift,
                                        .seed = seed};
    return mfm_model_inject(ctx, model, &options);
}

void mfm_inject_no_effect(mfm_ctx *ctx, const mfm_option_table *table,
                          const mfm_arguments *arguments, const char *reason)
{
    const char *names[MFM_INJECT_OPTIONS + 1] = {NULL};
    for (size_t i = 0; i < MFM_INJECT_OPTIONS; i++)
        names[i] = mfm_inject_table[i].name;
    mfm_options_no_effect(ctx, table, arguments, names, reason);
}

int mfm_has_modulator(mfm_ctx *ctx, const mfm_model *model, bool *has)
{
    mfm_inject_info *info = NULL;
    const int status = mfm_inject_info_read(ctx, model, &info);
    *has = info != NULL;
    mfm_inject_info_free(ctx, info);
    return status;
}
