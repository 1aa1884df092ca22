#include "tools/train_options.h"

#include <stdio.h>
#include <string.h>

#include "core/train/method.h"
#include "onnx/nearest.h"
#include "tools/option_json.h"

enum { AUGMENT_NONE, AUGMENT_PAD_CROP_FLIP, PAD = 4, MOST_METHODS = 64 };

static const char *const augment_names[] = {
    [AUGMENT_NONE] = "none", [AUGMENT_PAD_CROP_FLIP] = "pad-crop-flip", NULL};
static const char *const border_names[] = {
    [MFM_BORDER_ZERO] = "zero", [MFM_BORDER_REFLECT] = "reflect", NULL};

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
    {.name = "normalise",
     .kind = MFM_OPTION_CHOICE,
     .value = "WHOSE",
     .choices = mfm_normalise_names,
     FIELD(normalise),
     .help = "mean and deviation that the model tells, if it does, or those of the images"},
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
     .help = "training images per step"},
    {.name = "meta-batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     FIELD(meta_batch),
     .help = "meta images per step"},
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
     .help = "seed of the order of images, crops, dropout and the modulator's start"},
};

static const mfm_option_group groups[] = {
    {.title = "Output:", .options = output_table, .count = COUNT(output_table)},
    {.title = "Images:", .options = data_table, .count = COUNT(data_table)},
    {.title = "Long-tailed split:",
     .options = mfm_split_table,
     .count = MFM_SPLIT_OPTIONS,
     .base = offsetof(mfm_train_arguments, split)},
    {.title = "Tensors:",
     .options = mfm_role_table,
     .count = MFM_ROLE_OPTIONS,
     .base = offsetof(mfm_train_arguments, roles)},
    {.title = "Training:", .options = training_table, .count = COUNT(training_table)},
    {.title = "Modulator:",
     .options = mfm_inject_table,
     .count = MFM_INJECT_OPTIONS,
     .base = offsetof(mfm_train_arguments, inject)},
    {.title = NULL}};

static void print_lists(void)
{
    printf("Methods:\n");
    for (int i = 0; mfm_methods[i]; i++)
        printf("  %-8s %s\n", mfm_methods[i]->name, mfm_methods[i]->summary);
    char kinds[MFM_DATASET_KINDS_TEXT];
    printf("\nDATA is one of %s.\n", mfm_dataset_kinds(kinds));
}

static const mfm_option_table table = {
    .positional = "MODEL",
    .purpose =
        "Trains a classifier on long-tailed images. A method with a modulator puts one into\n"
        "the model in memory, unless the model already has one; what is written is the\n"
        "plain model with the trained weights, which any ONNX runtime serves.",
    .notes = "The run folder holds run.json, metrics.jsonl (one line per epoch), checkpoint.onnx\n"
             "and model.onnx. Ctrl-C finishes the step, keeps a checkpoint and says how to go\n"
             "on, and so do SIGTERM and SIGHUP; once more stops at once.",
    .more = print_lists,
    .groups = groups};

void mfm_train_form_init(mfm_form *form, mfm_train_arguments *arguments)
{
    *arguments = (mfm_train_arguments){.checkpoint_minutes = 10,
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
                                       .inject = mfm_inject_defaults};
    mfm_form_init(form, &table, offsetof(mfm_train_arguments, room));
    mfm_form_defaults(form, arguments);
}

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

/* Options of a modulator, for a method that trains none. */
static int refuse_modulator(mfm_ctx *ctx, const mfm_form *form, const mfm_method *method,
                            const mfm_arguments *given)
{
    const char *option = NULL;
    for (size_t i = 0; i < MFM_INJECT_OPTIONS && !option; i++)
        if (mfm_option_given(&form->table, given, mfm_inject_table[i].name))
            option = mfm_inject_table[i].name;
    if (method->needs_modulator || !option)
        return MFM_OK;
    char names[MFM_GROUP_TITLE] = "";
    for (size_t i = 0, used = 0; mfm_methods[i] && used < sizeof names; i++)
        if (mfm_methods[i]->needs_modulator)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     mfm_methods[i]->name);
    return mfm_fail(ctx, MFM_EUSAGE, "--%s: the method %s trains no modulator: these do: %s",
                    option, method->name, names);
}

/* The settings of the parts that are named. */
static int choose(mfm_ctx *ctx, mfm_form *form, mfm_train_arguments *a)
{
    const mfm_method *method = mfm_method_find(a->method);
    if (!method)
        return unknown_method(ctx, a->method);
    const mfm_choice parts[] = {mfm_method_part(method)};
    mfm_form_choose(form, parts, COUNT(parts), a);
    return MFM_OK;
}

int mfm_train_adopt(mfm_ctx *ctx, mfm_form *form, const json_t *run, mfm_train_arguments *a,
                    mfm_arguments *given)
{
    for (mfm_option_group *g = form->groups; g->options; g++)
        g->idle = g->base >= offsetof(mfm_train_arguments, room);
    int status = mfm_options_adopt(ctx, &form->table, run, a, given);
    if (!status) /* the names of the parts are there: now what the run tells of their settings */
        status = choose(ctx, form, a);
    return status ? status : mfm_options_adopt(ctx, &form->table, run, a, given);
}

int mfm_train_arguments_settle(mfm_ctx *ctx, mfm_form *form, mfm_train_arguments *a,
                               const mfm_arguments *given)
{
    if (!a->output || !a->data)
        return mfm_option_missing(ctx, a->output ? &data_table[0] : &output_table[0]);
    int status = choose(ctx, form, a);
    if (!status)
        status = refuse_modulator(ctx, form, mfm_method_find(a->method), given);
    if (status)
        return status;
    const mfm_train_options options = mfm_train_options_of(form, a);
    if (mfm_method_reads_meta(&options) && a->split.meta_per_class == 0)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--meta-per-class: 0: the method %s needs at least 1 meta image per class",
                        a->method);
    mfm_form_warn_idle(ctx, form, given);
    return MFM_OK;
}

mfm_augment mfm_train_augment(const mfm_train_arguments *a)
{
    const bool on = a->augment == AUGMENT_PAD_CROP_FLIP;
    return (mfm_augment){.pad = on ? PAD : 0, .border = (enum mfm_border)a->border, .flip = on};
}

mfm_train_options mfm_train_options_of(const mfm_form *form, const mfm_train_arguments *a)
{
    mfm_train_options o = {
        .method = mfm_method_find(a->method),
        .chosen = form->chosen,
        .epochs = (uint32_t)a->epochs,
        .batch = (uint32_t)a->batch,
        .meta_batch = (uint32_t)a->meta_batch,
        .schedule = {.base = a->lr, .factor = a->lr_decay, .n_milestones = a->milestones.count},
        .momentum = a->momentum,
        .weight_decay = a->weight_decay,
        .seed = a->seed};
    _Static_assert((int)MFM_MAX_UINTS <= (int)MFM_MAX_MILESTONES, "a list fits the schedule");
    memcpy(o.schedule.milestones, a->milestones.item, sizeof a->milestones.item);
    return o;
}
