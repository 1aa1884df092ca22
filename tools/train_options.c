#include "tools/train_options.h"

#include <stdio.h>
#include <string.h>

#include "core/train/method.h"
#include "onnx/nearest.h"

enum { AUGMENT_NONE, AUGMENT_PAD_CROP_FLIP, PAD = 4, MOST_METHODS = 64 };

static const char *const augment_names[] = {
    [AUGMENT_NONE] = "none", [AUGMENT_PAD_CROP_FLIP] = "pad-crop-flip", NULL};
static const char *const border_names[] = {
    [MFM_BORDER_ZERO] = "zero", [MFM_BORDER_REFLECT] = "reflect", NULL};
static const char *const optimizer_names[] = {[MFM_SGD] = "sgd", [MFM_ADAM] = "adam", NULL};

mfm_train_arguments mfm_train_defaults(void)
{
    return (mfm_train_arguments){.checkpoint_minutes = 10,
                                 .split = mfm_split_defaults,
                                 .method = "mfm",
                                 .epochs = 200,
                                 .batch = 100,
                                 .meta_batch = 100,
                                 .lr = 0.1,
                                 .momentum = 0.9,
                                 .weight_decay = 5e-4,
                                 .lr_decay = 0.1,
                                 .milestones = {.item = {160, 180}, .count = 2},
                                 .inject = mfm_inject_defaults,
                                 .modulator_optimizer = MFM_SGD,
                                 .modulator_momentum = 0.9};
}

#define FIELD(name)  .offset = offsetof(mfm_train_arguments, name)
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const mfm_option output_table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     FIELD(output),
     .scope = MFM_OPTION_CHANGEABLE,
     .help = "the trained plain model (required)"},
    {.name = "run",
     .kind = MFM_OPTION_STRING,
     .value = "DIR",
     FIELD(run),
     .scope = MFM_OPTION_LOCAL,
     .help = "folder for options, metrics and checkpoints (default: the output's name with .run)"},
    {.name = "resume",
     .kind = MFM_OPTION_FLAG,
     FIELD(resume),
     .scope = MFM_OPTION_LOCAL,
     .help = "go on with the run in that folder; options not given are the run's own, only "
             "--epochs may grow"},
    {.name = "checkpoint-minutes",
     .kind = MFM_OPTION_REAL,
     .value = "N",
     .max = 1e6,
     FIELD(checkpoint_minutes),
     .scope = MFM_OPTION_CHANGEABLE,
     .help = "a checkpoint every N minutes, besides those of each epoch (0: only those); results "
             "stay the same"},
    {.name = "threads",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 1024,
     FIELD(threads),
     .silent_default = true,
     .scope = MFM_OPTION_LOCAL,
     .help = "processors to use (default: all); results repeat exactly for one number of them"},
};

static const mfm_option data_table[] = {
    {.name = "data",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     FIELD(data),
     .scope = MFM_OPTION_CHANGEABLE,
     .help = "the dataset (required)"},
    {.name = "augment",
     .kind = MFM_OPTION_CHOICE,
     .value = "HOW",
     .choices = augment_names,
     FIELD(augment),
     .help = "shift by up to 4 pixels and mirror at random"},
    {.name = "border",
     .kind = MFM_OPTION_CHOICE,
     .value = "HOW",
     .choices = border_names,
     FIELD(border),
     .help = "what a shift brings in"},
    {.name = "fit",
     .kind = MFM_OPTION_FLAG,
     FIELD(fit),
     .help = "pad images to the model's size and copy grey to colour"},
};

static const mfm_option training_table[] = {
    {.name = "method",
     .kind = MFM_OPTION_STRING,
     .value = "M",
     FIELD(method),
     .help = "how to train, listed below"},
    {.name = "epochs",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 1000000,
     FIELD(epochs),
     .scope = MFM_OPTION_CHANGEABLE,
     .help = "passes over the training images"},
    {.name = "batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     FIELD(batch),
     .help = "training images in a step"},
    {.name = "meta-batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     FIELD(meta_batch),
     .help = "meta images in a step"},
    {.name = "lr",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1e6,
     FIELD(lr),
     .help = "learning rate"},
    {.name = "momentum",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1,
     FIELD(momentum),
     .help = "momentum"},
    {.name = "weight-decay",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1e6,
     FIELD(weight_decay),
     .help = "weight decay"},
    {.name = "milestones",
     .kind = MFM_OPTION_UINTS,
     .value = "N,...",
     FIELD(milestones),
     .help = "epochs after which the learning rate decays"},
    {.name = "lr-decay",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1,
     FIELD(lr_decay),
     .help = "factor of the decay"},
    {.name = "seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     FIELD(seed),
     .help = "of the order of images, crops, dropout and the modulator's start"},
};

static const mfm_option modulator_table[] = {
    {.name = "modulator-optimizer",
     .kind = MFM_OPTION_CHOICE,
     .value = "O",
     .choices = optimizer_names,
     FIELD(modulator_optimizer),
     .help = "what trains the modulator"},
    {.name = "modulator-lr",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .min = 1e-12,
     .max = 1e6,
     FIELD(modulator_lr),
     .silent_default = true,
     .help = "its learning rate (default: 0.01 for sgd, 0.001 for adam)"},
    {.name = "modulator-momentum",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1,
     FIELD(modulator_momentum),
     .help = "its momentum, for sgd"},
    {.name = "modulator-weight-decay",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1e6,
     FIELD(modulator_weight_decay),
     .help = "its weight decay"},
};

static const mfm_option_group groups[] = {
    {.title = "Output:", .options = output_table, .count = COUNT(output_table)},
    {.title = "Images:", .options = data_table, .count = COUNT(data_table)},
    {.title = "Long-tailed split:",
     .options = mfm_split_table,
     .count = MFM_SPLIT_OPTIONS,
     .base = offsetof(mfm_train_arguments, split)},
    {.title = "Training:", .options = training_table, .count = COUNT(training_table)},
    {.title = "Modulator:",
     .options = mfm_inject_table,
     .count = MFM_INJECT_OPTIONS,
     .base = offsetof(mfm_train_arguments, inject)},
    {.title = "Training of the modulator:",
     .options = modulator_table,
     .count = COUNT(modulator_table)},
    {.title = NULL}};

static void print_lists(void)
{
    printf("Methods:\n");
    for (int i = 0; mfm_methods[i]; i++)
        printf("  %-8s %s\n", mfm_methods[i]->name, mfm_methods[i]->summary);
    char kinds[MFM_DATASET_KINDS_TEXT];
    printf("\nDATA is one of %s.\n", mfm_dataset_kinds(kinds));
}

const mfm_option_table mfm_train_table = {
    .positional = "MODEL",
    .purpose =
        "Trains a classifier on long-tailed images. A method with a modulator puts one into\n"
        "the model in memory, unless the model already has one; what is written is the\n"
        "plain model with the trained weights, which any ONNX runtime serves.",
    .notes = "The run folder holds run.json, metrics.jsonl (one line an epoch), checkpoint.onnx\n"
             "and model.onnx. Ctrl-C finishes the step, keeps a checkpoint and tells how to go\n"
             "on, and so do SIGTERM and SIGHUP; once more stops at once.",
    .more = print_lists,
    .groups = groups};

static int unknown_method(mfm_ctx *ctx, const char *method)
{
    const char *names[MOST_METHODS];
    size_t count = 0;
    for (; mfm_methods[count] && count < MOST_METHODS; count++)
        names[count] = mfm_methods[count]->name;
    char near[MFM_SUGGEST_TEXT];
    return mfm_fail(ctx, MFM_EUSAGE, "--method: unknown method %.80s%s", method,
                    mfm_suggest(method, names, count, near));
}

/* The name of the first modulator option that was given, or NULL. */
static const char *given_modulator_option(const mfm_arguments *given)
{
    for (size_t i = 0; i < MFM_INJECT_OPTIONS; i++)
        if (mfm_option_given(&mfm_train_table, given, mfm_inject_table[i].name))
            return mfm_inject_table[i].name;
    return NULL;
}

int mfm_train_arguments_settle(mfm_ctx *ctx, mfm_train_arguments *a, const mfm_arguments *given)
{
    if (!a->output || !a->data)
        return mfm_option_missing(ctx, a->output ? &data_table[0] : &output_table[0]);
    const mfm_method *method = mfm_method_find(a->method);
    if (!method)
        return unknown_method(ctx, a->method);
    const char *modulator = given_modulator_option(given);
    if (!method->needs_modulator && modulator)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--%s: the method %s trains no modulator: --method mfm does", modulator,
                        method->name);
    if (method->needs_meta && a->split.meta_per_class == 0)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--meta-per-class: 0: the method %s needs at least 1 meta image of a class",
                        method->name);
    if (a->modulator_lr == 0)
        a->modulator_lr = a->modulator_optimizer == MFM_ADAM ? 1e-3 : 1e-2;
    return MFM_OK;
}

mfm_augment mfm_train_augment(const mfm_train_arguments *a)
{
    const bool on = a->augment == AUGMENT_PAD_CROP_FLIP;
    return (mfm_augment){.pad = on ? PAD : 0, .border = (enum mfm_border)a->border, .flip = on};
}

mfm_train_options mfm_train_options_of(const mfm_train_arguments *a)
{
    mfm_train_options o = {
        .method = mfm_method_find(a->method),
        .epochs = (uint32_t)a->epochs,
        .batch = (uint32_t)a->batch,
        .meta_batch = (uint32_t)a->meta_batch,
        .schedule = {.base = a->lr, .factor = a->lr_decay, .n_milestones = a->milestones.count},
        .momentum = a->momentum,
        .weight_decay = a->weight_decay,
        .modulator_optimizer = (enum mfm_optimizer_kind)a->modulator_optimizer,
        .modulator_lr = a->modulator_lr,
        .modulator_momentum = a->modulator_momentum,
        .modulator_weight_decay = a->modulator_weight_decay,
        .seed = a->seed};
    _Static_assert((int)MFM_MAX_UINTS <= (int)MFM_MAX_MILESTONES, "a list fits the schedule");
    memcpy(o.schedule.milestones, a->milestones.item, sizeof a->milestones.item);
    return o;
}

mfm_split_arguments mfm_train_split_of(const mfm_train_arguments *a)
{
    mfm_split_arguments split = a->split;
    if (!mfm_method_find(a->method)->needs_meta && split.meta_from == MFM_META_COPY)
        split.meta_per_class = 0;
    return split;
}
