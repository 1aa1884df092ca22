#include "tools/train/job/train_options.h"

#include <stdio.h>
#include <string.h>

#include "core/train/methods/method.h"
#include "onnx/proto/nearest.h"
#include "tools/options/option_json.h"

enum { DECAY_ALL, DECAY_WEIGHTS };
static const char *const border_names[] = {
    [MFM_BORDER_ZERO] = "zero", [MFM_BORDER_REFLECT] = "reflect", NULL};
static const char *const decay_names[] = {[DECAY_ALL] = "all", [DECAY_WEIGHTS] = "weights", NULL};
static const char none[] = "none"; /* no mixing, no finishing */

/* Those that follow no profile of the training set: its meta set has none. */
static const char *const meta_samplers[] = {"shuffle", "class-aware", NULL};

#define FIELD(name)  .offset = offsetof(mfm_train_arguments, name)
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const mfm_option output_table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     FIELD(output),
     .scope = MFM_OPTION_CHANGEABLE,
     .path = MFM_OPTION_PATH,
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
     .help = "go on with the run in that folder; MODEL and options that are not given are the "
             "run's own, and only --epochs may grow"},
    {.name = "checkpoint-minutes",
     .kind = MFM_OPTION_REAL,
     .value = "N",
     .max = 1e6,
     FIELD(checkpoint_minutes),
     .scope = MFM_OPTION_CHANGEABLE,
     .help = "write a checkpoint every N minutes, besides those after epochs (0: only those), "
             "which a model of 16 MiB or more skips after epochs that are short beside the "
             "writing; results stay the same"},
    {.name = "threads",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 1024,
     FIELD(threads),
     .silent_default = true,
     .scope = MFM_OPTION_LOCAL,
     .help = "processors to use (default: all); --reproducible tells what depends on them"},
    MFM_REPRODUCIBLE_CHOICE(mfm_train_arguments, reproducible),
};

static const char *no_shift(const void *values, const mfm_run_facts *run)
{
    (void)values;
    for (int i = 0; i < run->augment->count; i++)
        if (run->augment->use[i].kind->borders)
            return NULL;
    return "--augment has no shift";
}

static const char *never_resampled(const void *values, const mfm_run_facts *run)
{
    (void)values;
    const mfm_train_options *o = run->options;
    return o->sampler != mfm_samplers[0] && o->defer_resample >= o->epochs
               ? "the run ends before --defer-resample"
               : NULL;
}

static const char *shuffled_anyway(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return run->options->sampler == mfm_samplers[0] ? "the sampler is shuffle" : NULL;
}

static const char *no_decay(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return run->options->weight_decay == 0 ? "--weight-decay is 0" : NULL;
}

static const mfm_option data_table[] = {
    {.name = "data",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     FIELD(data),
     .scope = MFM_OPTION_CHANGEABLE,
     .path = MFM_OPTION_KIND_PATH,
     .help = "the dataset (required)"},
    {.name = "augment",
     .kind = MFM_OPTION_STRING,
     .value = "LIST",
     FIELD(augment),
     .silent_default = true,
     .help = "random changes of the training images, listed below, in the order in which they are "
             "done, separated by commas (shift:4,flip), or none (default: what is usual for the "
             "dataset: resized-crop,flip for folder, shift:4,flip for CIFAR, none for others)"},
    {.name = "border",
     .kind = MFM_OPTION_CHOICE,
     .value = "HOW",
     .choices = border_names,
     FIELD(border),
     .idle = no_shift,
     .help = "what fills the edge after a shift"},
    {.name = "fit",
     .kind = MFM_OPTION_FLAG,
     FIELD(fit),
     .help = "resize images to the model's size, copy grey to colour, turn colour into grey"},
    {.name = "pad",
     .kind = MFM_OPTION_FLAG,
     FIELD(pad),
     .help = "centre smaller images on black, and copy grey to colour"},
};

static const mfm_option training_table[] = {
    {.name = "recipe",
     .kind = MFM_OPTION_STRING,
     .value = "R",
     FIELD(recipe),
     .help = "published settings by name, which onnx-mfm recipes lists; options that are given "
             "besides take precedence"},
    {.name = "method",
     .kind = MFM_OPTION_STRING,
     .value = "M",
     FIELD(method),
     .help = "training method, listed below"},
    {.name = "loss",
     .kind = MFM_OPTION_STRING,
     .value = "L",
     FIELD(loss),
     .help = "loss to minimise, listed below"},
    {.name = "sampler",
     .kind = MFM_OPTION_STRING,
     .value = "S",
     FIELD(sampler),
     .silent_default = true,
     .idle = never_resampled,
     .help = "how batches are drawn, listed below (default: shuffle, or the method's own)"},
    {.name = "defer-resample",
     .kind = MFM_OPTION_UINT,
     .value = "EPOCH",
     .max = 1000000,
     FIELD(defer_resample),
     .idle = shuffled_anyway,
     .help = "epochs of plain shuffling before the sampler sets in"},
    {.name = "mix",
     .kind = MFM_OPTION_STRING,
     .value = "X",
     FIELD(mixing),
     .help = "how images are mixed, listed below, or none"},
    {.name = "finish",
     .kind = MFM_OPTION_STRING,
     .value = "F",
     FIELD(finishing),
     .help = "what is done to the classifier's weights at the end, listed below, or none"},
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
     .idle = mfm_no_meta_set,
     .help = "meta images per step"},
    {.name = "meta-sampler",
     .kind = MFM_OPTION_CHOICE,
     .value = "S",
     .choices = meta_samplers,
     FIELD(meta_sampler),
     .idle = mfm_no_meta_set,
     .help = "how meta batches are drawn: all images in a new order each time, or classes in turn "
             "and the images of each in turn"},
    {.name = "lr",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1e6,
     FIELD(lr),
     .help = "learning rate"},
    {.name = "schedule",
     .kind = MFM_OPTION_STRING,
     .value = "S",
     FIELD(schedule),
     .help = "how the learning rate changes, listed below"},
    {.name = "warmup",
     .kind = MFM_OPTION_UINT,
     .value = "EPOCHS",
     .max = 1000000,
     FIELD(warmup),
     .help = "epochs over which the learning rate rises to what the schedule says"},
    {.name = "optimizer",
     .kind = MFM_OPTION_STRING,
     .value = "O",
     FIELD(optimizer),
     .help = "how steps are taken, listed below"},
    {.name = "weight-decay",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1e6,
     FIELD(weight_decay),
     .help = "weight decay"},
    {.name = "decay",
     .kind = MFM_OPTION_CHOICE,
     .value = "WHAT",
     .choices = decay_names,
     FIELD(decay),
     .idle = no_decay,
     .help = "what decays: all parameters, or all but biases and normalisations"},
    {.name = "sharpness",
     .kind = MFM_OPTION_REAL,
     .value = "RHO",
     .max = 1e3,
     FIELD(sharpness),
     .help = "radius of sharpness-aware steps, which cost a plain step more and leave meta steps "
             "as they are; 0: plain steps"},
    {.name = "seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     FIELD(seed),
     .help = "seed of the order of images, crops, dropout and the modulator's start"},
    {.name = "seeds",
     .kind = MFM_OPTION_STRING,
     .value = "N-M",
     FIELD(seeds),
     .scope = MFM_OPTION_LOCAL,
     .help = "several runs one after the other, such as 1-5 or 1,3,7; each N becomes --seed and, "
             "unless it is given, --split-seed; with -o OUT.onnx --run DIR they write "
             "OUT-seed-N.onnx and DIR/seed-N, and means and deviations to DIR/summary.json"},
};

static const mfm_option transfer_table[] = {
    {.name = "modulator",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     FIELD(modulator),
     .path = MFM_OPTION_PATH,
     .help = "start from the modulator.onnx of another run, which decides the form; classes, "
             "number of layers and channels must be the same"},
    {.name = "map",
     .kind = MFM_OPTION_STRINGS,
     .value = "THEIRS=OURS",
     FIELD(map),
     .help =
         "layer of that modulator, and the layer of this model that takes it, as in --layer; may "
         "be given several times (default: the layers of --layer, in the order of the graph)"},
};

static const mfm_option_group groups[] = {
    {.title = "Output:", .options = output_table, .count = COUNT(output_table)},
    {.title = "Images:", .options = data_table, .count = COUNT(data_table)},
    {.title = "Normalisation:",
     .options = mfm_normalisation_table,
     .count = MFM_NORMALISATION_OPTIONS,
     .base = offsetof(mfm_train_arguments, normalisation)},
    {.title = "What the file leaves open:",
     .options = mfm_view_table,
     .count = MFM_VIEW_OPTIONS,
     .base = offsetof(mfm_train_arguments, view)},
    {.title = "Test images:",
     .options = mfm_part_table,
     .count = MFM_PART_OPTIONS,
     .base = offsetof(mfm_train_arguments, parts)},
    {.title = "Long-tailed split:",
     .options = mfm_split_table,
     .count = MFM_SPLIT_OPTIONS,
     .base = offsetof(mfm_train_arguments, split)},
    {.title = "What is trained:",
     .options = mfm_role_table,
     .count = MFM_ROLE_OPTIONS,
     .base = offsetof(mfm_train_arguments, roles)},
    {.title = "Frozen layers:",
     .options = mfm_feature_table,
     .count = MFM_FEATURE_OPTIONS,
     .base = offsetof(mfm_train_arguments, features)},
    {.title = "Training:", .options = training_table, .count = COUNT(training_table)},
    {.title = "Several processes (mpirun -n N onnx-mfm train ..., batches are those of all):",
     .options = mfm_rank_table,
     .count = MFM_RANK_OPTIONS,
     .base = offsetof(mfm_train_arguments, ranks)},
    {.title = "Modulator:",
     .options = mfm_inject_table,
     .count = MFM_INJECT_OPTIONS,
     .base = offsetof(mfm_train_arguments, inject)},
    {.title = "Start of the modulator:", .options = transfer_table, .count = COUNT(transfer_table)},
    {.title = NULL}};

static void print_lists(void)
{
    mfm_choice_print("method", "Methods");
    mfm_choice_print("loss", "\nLosses");
    mfm_choice_print("sampler", "\nSamplers");
    mfm_choice_print("mix", "\nMixing");
    mfm_choice_print("optimizer", "\nOptimizers");
    mfm_choice_print("schedule", "\nSchedules");
    mfm_choice_print("finish", "\nFinishing");
    mfm_print_augmentations();
    char kinds[MFM_DATASET_KINDS_TEXT];
    printf("\nDATA is one of %s.\n", mfm_dataset_kinds(kinds));
}

static const mfm_option_table table = {
    .positional = "MODEL",
    .may_lack = true,
    .keeps_model = "a run notes its file, for --resume and report",
    .purpose =
        "Trains a classifier on long-tailed images. A method with a modulator puts one into\n"
        "the model in memory, unless the model already has one; what is written is the\n"
        "plain model with the trained weights, which any ONNX runtime serves.",
    .notes = "The run folder holds run.json, metrics.jsonl (one line per epoch), checkpoint.onnx,\n"
             "model.onnx and, with --validation, best.onnx. Ctrl-C finishes the step, keeps a\n"
             "checkpoint and says how to go on, and so do SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2;\n"
             "once more stops at once.",
    .more = print_lists,
    .groups = groups};

void mfm_train_form_init(mfm_form *form, mfm_train_arguments *arguments)
{
    *arguments = (mfm_train_arguments){.checkpoint_minutes = 10,
                                       .split = mfm_split_defaults,
                                       .features = mfm_feature_defaults,
                                       .ranks = mfm_rank_defaults,
                                       .method = mfm_methods[MFM_METHOD_USUAL]->name,
                                       .loss = mfm_losses[0]->name,
                                       .mixing = none,
                                       .optimizer = mfm_optimizers[MFM_SGD]->name,
                                       .schedule = mfm_schedules[0]->name,
                                       .finishing = none,
                                       .epochs = 200,
                                       .batch = 100,
                                       .meta_batch = 100,
                                       .lr = 0.1,
                                       .weight_decay = 5e-4,
                                       .inject = mfm_inject_defaults};
    mfm_form_init(form, &table, NULL, offsetof(mfm_train_arguments, room));
    mfm_form_defaults(form, arguments);
}

/* The parts that are named; "none" names none. */
static int find_parts(mfm_ctx *ctx, const mfm_train_arguments *a, mfm_choice *parts, size_t *count)
{
    const char *const named[][2] = {{"method", a->method},       {"loss", a->loss},
                                    {"sampler", a->sampler},     {"mix", a->mixing},
                                    {"optimizer", a->optimizer}, {"schedule", a->schedule},
                                    {"finish", a->finishing}};
    int status = MFM_OK;
    *count = 0;
    for (size_t i = 0; i < COUNT(named) && !status; i++) {
        const bool may_be_none =
            strcmp(named[i][0], "mix") == 0 || strcmp(named[i][0], "finish") == 0;
        if (may_be_none && strcmp(named[i][1], none) == 0)
            continue;
        status = mfm_choice_find(ctx, named[i][0], named[i][1], &parts[*count]);
        *count += !status;
    }
    parts[(*count)++] = mfm_choice_any_loss();
    return status;
}

/* What the method itself chooses where nothing is named. */
static void choose_by_method(mfm_train_arguments *a)
{
    const mfm_method *method = mfm_method_find(a->method);
    if (!a->sampler)
        a->sampler = method && method->sampler ? method->sampler : mfm_samplers[0]->name;
}

/* The settings of the parts that are named. */
static int choose(mfm_ctx *ctx, mfm_form *form, mfm_train_arguments *a)
{
    choose_by_method(a);
    mfm_choice parts[8];
    size_t count;
    const int status = find_parts(ctx, a, parts, &count);
    if (!status)
        mfm_form_choose(form, parts, count, a);
    return status;
}

int mfm_train_adopt(mfm_ctx *ctx, mfm_form *form, const json_t *run, const char *folder,
                    mfm_train_arguments *a, mfm_arguments *given)
{
    for (mfm_option_group *g = form->groups; g->options; g++)
        g->idle = g->base >= offsetof(mfm_train_arguments, room);
    int status = mfm_options_adopt(ctx, &form->table, run, folder, a, given);
    if (!status) /* the names of the parts are there: now what the run tells of their settings */
        status = choose(ctx, form, a);
    if (!status)
        status = mfm_options_adopt(ctx, &form->table, run, folder, a, given);
    const char *unknown = status ? NULL : mfm_options_unknown(&form->table, run);
    return unknown ? mfm_fail(ctx, MFM_EDATA,
                              "resume: the run has an option that this version does not know, "
                              "--%.80s: go on with the version that it began with, or start a new "
                              "run with --run DIR",
                              unknown)
                   : status;
}

int mfm_train_arguments_settle(mfm_ctx *ctx, mfm_form *form, mfm_train_arguments *a,
                               const mfm_arguments *given)
{
    if (!a->output || !a->data)
        return mfm_option_missing(ctx, a->output ? &data_table[0] : &output_table[0]);
    if (!a->augment)
        a->augment = mfm_dataset_augment(a->data);
    mfm_augment augment;
    int status = mfm_fit_of(ctx, a->fit, a->pad, &(enum mfm_fit_how){MFM_FIT_NONE});
    if (!status)
        status = mfm_train_augment(ctx, a, &augment);
    if (!status)
        status = choose(ctx, form, a);
    if (!status)
        status = mfm_train_check_modulator(ctx, form, mfm_method_find(a->method), given);
    if (status)
        return status;
    if (a->map.count > 0 && !a->modulator)
        return mfm_fail(ctx, MFM_EUSAGE, "--map needs --modulator FILE, whose layers it maps");
    const mfm_train_options options = mfm_train_options_of(form, a);
    if (options.augmented_copies && options.mixing)
        return mfm_fail(
            ctx, MFM_EUSAGE,
            "--augmented-copies: --mix %s makes another image each time: give one of them",
            a->mixing);
    if (options.sharpness > 0 && !options.method->sharpens)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--sharpness: %g: method %s takes no sharpness-aware steps: leave it out",
                        options.sharpness, a->method);
    if (mfm_method_reads_meta(&options) && a->split.meta_per_class == 0)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "--meta-per-class: 0: the method %s needs at least 1 meta image per class",
                        a->method);
    const mfm_run_facts facts = {&options, &augment, mfm_dataset_of_files(a->data)};
    mfm_form_warn_idle(ctx, form, given, a, &facts);
    mfm_train_warn_twice(ctx, &options);
    mfm_train_warn_of_no_meta_step(ctx, &facts);
    return MFM_OK;
}

int mfm_train_augment(mfm_ctx *ctx, const mfm_train_arguments *a, mfm_augment *augment)
{
    const int status = mfm_augment_read(ctx, a->augment, (enum mfm_border)a->border, augment);
    return status == MFM_EINVAL ? MFM_EUSAGE : status;
}

mfm_train_options mfm_train_options_of(const mfm_form *form, const mfm_train_arguments *a)
{
    const mfm_train_options o = {.method = mfm_method_find(a->method),
                                 .loss = mfm_loss_find(a->loss),
                                 .chosen = form->chosen,
                                 .epochs = (uint32_t)a->epochs,
                                 .batch = (uint32_t)a->batch,
                                 .meta_batch = (uint32_t)a->meta_batch,
                                 .schedule = {.base = a->lr,
                                              .kind = mfm_schedule_find(a->schedule),
                                              .chosen = form->chosen,
                                              .epochs = a->epochs,
                                              .warmup = a->warmup},
                                 .optimizer = mfm_optimizer_find(a->optimizer),
                                 .weight_decay = a->weight_decay,
                                 .spare_vectors = a->decay == DECAY_WEIGHTS,
                                 .sharpness = a->sharpness,
                                 .feature_memory = a->features.memory,
                                 .feature_cache = a->features.cache,
                                 .feature_cache_size = a->features.cache_size,
                                 .augmented_copies = (uint32_t)a->features.copies,
                                 .sampler = mfm_sampler_find(a->sampler),
                                 .meta_sampler = mfm_sampler_find(meta_samplers[a->meta_sampler]),
                                 .defer_resample = (uint32_t)a->defer_resample,
                                 .mixing = mfm_mixing_find(a->mixing),
                                 .finishing = mfm_finishing_find(a->finishing),
                                 .seed = a->seed,
                                 .comm = a->comm,
                                 .local_statistics = a->ranks.batch_norm == MFM_STATISTICS_LOCAL,
                                 .by_threads = a->reproducible == MFM_REPRODUCIBLE_OFF};
    return o;
}
