#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/train/evaluate.h"
#include "tools/options/data_options.h"
#include "tools/show/eval_report.h"
#include "tools/interrupt.h"
#include "tools/show/meter.h"
#include "tools/threads.h"
#include "tools/train/unfinished.h"

typedef struct options {
    const char *data;
    mfm_dataset_options parts;
    mfm_split_arguments split;
    uint64_t batch, threads;
    int normalise;
    bool fit, json;
} options;

static const mfm_option table[] = {
    {.name = "data",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     .required = true,
     .offset = offsetof(options, data),
     .help = "the dataset, whose test part is used"},
    {.name = "fit",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, fit),
     .help = "pad images to the model's size and copy grey to colour"},
    {.name = "normalise",
     .kind = MFM_OPTION_CHOICE,
     .value = "WHOSE",
     .choices = mfm_normalise_names,
     .offset = offsetof(options, normalise),
     .help = "mean and deviation that the model tells, if it does, or those of the images"},
    {.name = "batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(options, batch),
     .help = "images computed at a time"},
    {.name = "threads",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 1024,
     .offset = offsetof(options, threads),
     .silent_default = true,
     .help = "processors to use (default: all)"},
    {.name = "json",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, json),
     .help = "print JSON"},
};

static void print_kinds(void)
{
    char text[MFM_DATASET_KINDS_TEXT];
    printf("DATA is one of %s.\n", mfm_dataset_kinds(text));
}

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "Test images:",
     .options = mfm_part_table,
     .count = MFM_PART_OPTIONS,
     .base = offsetof(options, parts)},
    {.title = "Split of the training images, where it is not what the model tells:",
     .options = mfm_split_table,
     .count = MFM_SPLIT_OPTIONS,
     .base = offsetof(options, split)},
    {.title = NULL}};

static const mfm_option_table eval_options = {
    .positional = "MODEL",
    .purpose =
        "Classifies the test images and prints error, recall of each class and the\n"
        "confusion matrix; where the model or the options tell the counts of training\n"
        "images, the mean recall of classes with many (over 100), medium (20 to 100) and few\n"
        "(under 20). A modulator in the model stays switched off.",
    .more = print_kinds,
    .groups = groups};

static int on_batch(void *self, uint32_t done, uint32_t total)
{
    mfm_meter_images(self, "evaluating", done, total);
    return MFM_OK;
}

static int run_model(mfm_evaluation *e, const options *o)
{
    mfm_evaluator *evaluator = NULL;
    mfm_ctx *ctx = e->session.ctx;
    int status = mfm_confusion_init(ctx, &e->confusion, (int)e->session.problem->classes);
    if (!status)
        status = mfm_evaluator_new(ctx, e->session.problem, &e->session.preprocess,
                                   (int64_t)o->batch, &evaluator);
    mfm_meter meter;
    mfm_meter_init(&meter, stderr, 1, -1, NAN);
    const mfm_evaluation_watch watch = {.self = &meter, .on_batch = on_batch};
    if (!status)
        status = on_batch(&meter, 0, e->session.dataset->test.count);
    if (!status)
        status =
            mfm_evaluate(evaluator, &e->session.dataset->test, e->session.problem->main->params,
                         e->session.problem->main->state, &watch, &e->confusion, &e->loss);
    mfm_meter_clear(&meter);
    mfm_evaluator_free(evaluator);
    return status;
}

/* ---- numbers of training images ---- */

static bool split_given(const mfm_arguments *given)
{
    for (size_t i = 0; i < MFM_SPLIT_OPTIONS; i++)
        if (mfm_option_given(&eval_options, given, mfm_split_table[i].name))
            return true;
    return false;
}

enum { VALIDATION_TEXT = 40 };

/* The validation part as the option tells it. */
static const char *validation_text(const mfm_split_options *split, char text[VALIDATION_TEXT])
{
    if (split->validation_per_class == 0 && split->validation_share == 0)
        return mfm_split_defaults.validation;
    if (split->validation_per_class)
        snprintf(text, VALIDATION_TEXT, "disjoint:%u", split->validation_per_class);
    else
        snprintf(text, VALIDATION_TEXT, "%.17g", split->validation_share);
    return text;
}

/* What is not given is as the model tells. */
static mfm_split_arguments settle_split(const mfm_evaluation *e, const options *o,
                                        const mfm_arguments *given, char text[VALIDATION_TEXT])
{
    mfm_split_arguments split = o->split;
    const mfm_class_info *info = e->session.classes;
    if (!info || !info->has_split)
        return split;
    if (!mfm_option_given(&eval_options, given, "imbalance"))
        split.imbalance = info->split.imbalance;
    if (!mfm_option_given(&eval_options, given, "max-per-class"))
        split.max_per_class = info->split.max_per_class;
    if (!mfm_option_given(&eval_options, given, "meta-per-class"))
        split.meta_per_class = info->split.meta_per_class;
    if (!mfm_option_given(&eval_options, given, "meta-from"))
        split.meta_from = (int)info->split.meta_from;
    if (!mfm_option_given(&eval_options, given, "meta-cap"))
        split.meta_cap = (int)info->split.meta_cap;
    if (!mfm_option_given(&eval_options, given, "validation"))
        split.validation = validation_text(&info->split, text);
    if (!mfm_option_given(&eval_options, given, "split-seed"))
        split.split_seed = info->split.seed;
    return split;
}

static int make_split(mfm_evaluation *e, const options *o, const mfm_arguments *given)
{
    static const char *const choosing[] = {"split-seed", "meta-cap", NULL};
    static const char *const meta[] = {"meta-per-class", NULL};
    char text[VALIDATION_TEXT];
    mfm_session *s = &e->session;
    const mfm_split_arguments split = settle_split(e, o, given, text);
    const int status = mfm_make_split(s->ctx, s->dataset, &split, &e->split);
    if (status)
        return status;
    e->train = e->split->train_per_class;
    e->counted = e->split->classes;
    mfm_options_no_effect(s->ctx, &eval_options, given, choosing,
                          "it chooses which images are taken, not how many are trained on");
    if (split.meta_from == MFM_META_COPY)
        mfm_options_no_effect(s->ctx, &eval_options, given, meta,
                              "meta images that are copied leave the numbers as they are");
    if (s->classes && s->classes->has_split && s->classes->hash != e->split->hash)
        mfm_warn(s->ctx,
                 "%s was trained on another split, %016llx: the numbers of training images are "
                 "those of the options, split %016llx",
                 mfm_model_path(s->model), (unsigned long long)s->classes->hash,
                 (unsigned long long)e->split->hash);
    return MFM_OK;
}

static int count_training_images(mfm_evaluation *e, const options *o, const mfm_arguments *given)
{
    const mfm_class_info *info = e->session.classes;
    if (split_given(given))
        return make_split(e, o, given);
    if (info && info->train) {
        e->train = info->train;
        e->counted = info->classes;
    }
    return MFM_OK;
}

static void tell_idle_options(const mfm_evaluation *e, const mfm_arguments *given)
{
    static const char *const fit[] = {"fit", NULL}, *const normalise[] = {"normalise", NULL};
    const mfm_session *s = &e->session;
    const mfm_preprocess *p = &s->preprocess;
    if (p->source_channels == p->channels && p->source_height == p->height &&
        p->source_width == p->width)
        mfm_options_no_effect(s->ctx, &eval_options, given, fit,
                              "the images are of the size that the model reads");
    if (!s->tells_normalisation)
        mfm_options_no_effect(s->ctx, &eval_options, given, normalise,
                              "the model tells no normalisation of its own");
}

static int prepare(mfm_evaluation *e, const options *o, const mfm_arguments *given)
{
    const mfm_images_wanted wanted = {.specification = o->data,
                                      .options = o->parts,
                                      .parts =
                                          MFM_PART_TEST | (split_given(given) ? MFM_PART_TRAIN : 0),
                                      .fit = o->fit,
                                      .normalise = o->normalise};
    int status = mfm_session_open(&e->session, given->positional);
    if (!status)
        status = mfm_refuse_unfinished(e->session.ctx, e->session.model);
    if (!status)
        status = mfm_session_import(&e->session);
    if (!status)
        status = mfm_session_build(&e->session, NULL, true);
    if (!status)
        status = mfm_session_open_data(&e->session, &wanted);
    if (status)
        return status;
    tell_idle_options(e, given);
    return count_training_images(e, o, given);
}

int mfm_cmd_eval(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.batch = 100, .split = mfm_split_defaults};
    mfm_arguments arguments;
    mfm_evaluation e = {.session = {.ctx = ctx}};
    int status = mfm_options_parse(ctx, &eval_options, argc, argv, &o, &arguments);
    int threads;
    mfm_interrupt_end(); /* what is printed is printed at the end */
    if (!status)
        status = mfm_use_threads(ctx, (unsigned)o.threads, &threads);
    if (!status)
        status = prepare(&e, &o, &arguments);
    if (!status)
        status = run_model(&e, &o);
    if (!status && o.json)
        status = mfm_eval_print_json(&e);
    else if (!status)
        mfm_eval_print_text(&e);
    mfm_confusion_clear(ctx, &e.confusion);
    mfm_split_free(ctx, e.split);
    mfm_session_clear(&e.session);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
