#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/train/evaluate.h"
#include "tools/files.h"
#include "tools/options/groups/data_options.h"
#include "tools/show/reports/eval_report.h"
#include "tools/interrupt.h"
#include "tools/show/meter.h"
#include "tools/options/groups/prior_option.h"
#include "tools/threads.h"
#include "tools/train/unfinished.h"

typedef struct options {
    const char *data, *prior, *compare;
    mfm_dataset_options parts;
    mfm_split_arguments split;
    mfm_uints groups;
    uint64_t batch, threads, prior_seed;
    mfm_view_arguments view;
    mfm_normalisation_arguments normalisation;
    bool fit, pad, json;
} options;

static const mfm_option table[] = {
    {.name = "data",
     .kind = MFM_OPTION_STRING,
     .value = "DATA",
     .required = true,
     .offset = offsetof(options, data),
     .help = "the dataset whose test part is used"},
    {.name = "fit",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, fit),
     .help = "resize images to the model's size, copy grey to colour, turn colour into grey; not "
             "needed for a model that tells what it was trained on"},
    {.name = "pad",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, pad),
     .help = "centre smaller images on black, and copy grey to colour"},
    {.name = "test-prior",
     .kind = MFM_OPTION_STRING,
     .value = "DIST",
     .offset = offsetof(options, prior),
     .help = "draw test images of this label distribution: uniform; forward:F or backward:F, a "
             "long tail of imbalance F along or against the order of the classes; test1, test2 "
             "(Wang et al. 2020, C.1); a file with one number per class"},
    {.name = "prior-seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     .offset = offsetof(options, prior_seed),
     .help = "seed of that draw"},
    {.name = "groups",
     .kind = MFM_OPTION_UINTS,
     .value = "LOW,HIGH",
     .offset = offsetof(options, groups),
     .help = "fewest and most training images of a medium class; few classes have fewer, many "
             "classes more"},
    {.name = "compare",
     .kind = MFM_OPTION_STRING,
     .value = "MODEL",
     .offset = offsetof(options, compare),
     .help =
         "a second model for the same images, and McNemar's test of the two; - for standard input"},
    {.name = "batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(options, batch),
     .help = "images computed at once"},
    MFM_THREADS_OPTION(options, threads),
    MFM_JSON_OPTION(options, json),
};

static void print_kinds(void)
{
    char text[MFM_DATASET_KINDS_TEXT];
    printf("DATA is one of %s.\n", mfm_dataset_kinds(text));
}

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "Normalisation:",
     .options = mfm_normalisation_table,
     .count = MFM_NORMALISATION_OPTIONS,
     .base = offsetof(options, normalisation)},
    {.title = "What the file leaves open:",
     .options = mfm_view_table,
     .count = MFM_VIEW_OPTIONS,
     .base = offsetof(options, view)},
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
        "Classifies the test images and prints error, recall of each class, calibration and the\n"
        "confusion matrix; where the model or the options tell the numbers of training\n"
        "images, the mean recall of classes with many, medium and few of them. Classes without\n"
        "test images are left out of every mean. A modulator in the model stays switched off.",
    .more = print_kinds,
    .groups = groups};

/* Who follows one evaluation. */
typedef struct follower {
    mfm_meter meter;
    mfm_predictions *predictions;
} follower;

static int on_batch(void *self, uint32_t done, uint32_t total)
{
    follower *f = self;
    mfm_meter_images(&f->meter, "evaluating", done, total);
    return MFM_OK;
}

static void on_image(void *self, const mfm_outcome *outcome, const real *logits)
{
    (void)logits;
    follower *f = self;
    mfm_predictions_add(f->predictions, outcome);
}

/* chosen NULL: all test images. */
static int run_model(mfm_evaluation *e, const options *o, const mfm_test_prior *chosen)
{
    mfm_evaluator *evaluator = NULL;
    mfm_ctx *ctx = e->session.ctx;
    const mfm_images *test = &e->session.dataset->test;
    const uint32_t count = chosen ? chosen->count : test->count;
    int status = mfm_confusion_init(ctx, &e->confusion, (int)e->session.problem->classes);
    if (!status)
        status = mfm_predictions_init(ctx, &e->predictions, count);
    if (!status)
        status = mfm_evaluator_new(ctx, e->session.problem, &e->session.preprocess,
                                   (int64_t)o->batch, &evaluator);
    follower f = {.predictions = &e->predictions};
    mfm_meter_init(&f.meter, stderr, 1, -1, NAN);
    const mfm_evaluation_watch watch = {.self = &f, .on_batch = on_batch, .on_image = on_image};
    const mfm_graph *graph = e->session.problem->main;
    if (!status)
        status = on_batch(&f, 0, count);
    if (!status)
        status = mfm_evaluate_some(evaluator, test, chosen ? chosen->indices : NULL, count,
                                   graph->params, graph->state, &watch, &e->confusion, &e->loss);
    mfm_meter_clear(&f.meter);
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

static int open_model(mfm_evaluation *e, const options *o, const char *path, unsigned parts)
{
    enum mfm_fit_how fit;
    int status = mfm_fit_of(e->session.ctx, o->fit, o->pad, &fit);
    if (status)
        return status;
    const mfm_images_wanted wanted = {.specification = o->data,
                                      .options = o->parts,
                                      .parts = parts,
                                      .fit = fit,
                                      .normalise = o->normalisation.whose,
                                      .normalisation = o->normalisation};
    e->session.view = o->view;
    status = mfm_session_open(&e->session, path);
    if (!status)
        status = mfm_refuse_unfinished(e->session.ctx, e->session.model);
    if (!status)
        status = mfm_session_import(&e->session);
    if (!status)
        status = mfm_session_build(&e->session, NULL, true);
    return status ? status : mfm_session_open_data(&e->session, &wanted);
}

static int read_groups(mfm_evaluation *e, const options *o, const mfm_arguments *given)
{
    static const char *const idle[] = {"groups", NULL};
    const mfm_uints *g = &o->groups;
    if (g->count != 2 || g->item[0] > g->item[1])
        return mfm_fail(e->session.ctx, MFM_EUSAGE,
                        "--groups: expected the fewest and the most training images of a medium "
                        "class, as in 20,100");
    e->borders = (mfm_class_borders){.medium = g->item[0], .many = g->item[1]};
    if (!e->train)
        mfm_options_no_effect(e->session.ctx, &eval_options, given, idle,
                              "neither model nor options tell numbers of training images");
    return MFM_OK;
}

static int draw_prior(mfm_evaluation *e, const options *o, const mfm_arguments *given)
{
    static const char *const seed[] = {"prior-seed", NULL};
    if (!o->prior) {
        mfm_options_no_effect(e->session.ctx, &eval_options, given, seed,
                              "without --test-prior all test images are used");
        return MFM_OK;
    }
    e->prior.text = o->prior;
    e->prior.seed = o->prior_seed;
    return mfm_prior_option_draw(e->session.ctx, o->prior, o->prior_seed, e->session.dataset,
                                 &e->prior.drawn);
}

static int prepare(mfm_evaluation *e, const options *o, const mfm_arguments *given)
{
    const unsigned parts = MFM_PART_TEST | (split_given(given) ? MFM_PART_TRAIN : 0);
    int status = open_model(e, o, given->positional, parts);
    if (status)
        return status;
    mfm_session_no_effect(&e->session, &eval_options, given);
    status = count_training_images(e, o, given);
    if (!status)
        status = read_groups(e, o, given);
    return status ? status : draw_prior(e, o, given);
}

/* The second model, on the images of the first. */
static int compare(mfm_evaluation *e, const options *o, mfm_evaluation *other)
{
    int status = run_model(other, o, e->prior.drawn);
    if (status)
        return status;
    e->rival.path = o->compare;
    e->rival.error = mfm_confusion_error(&other->confusion);
    e->rival.test = mfm_mcnemar_of(&e->predictions, &other->predictions);
    return MFM_OK;
}

static void clear(mfm_evaluation *e)
{
    mfm_ctx *ctx = e->session.ctx;
    mfm_confusion_clear(ctx, &e->confusion);
    mfm_predictions_clear(ctx, &e->predictions);
    mfm_test_prior_free(ctx, e->prior.drawn);
    mfm_split_free(ctx, e->split);
    mfm_session_clear(&e->session);
}

int mfm_cmd_eval(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.batch = 100, .split = mfm_split_defaults, .groups = {{20, 100}, 2}};
    mfm_arguments arguments;
    mfm_evaluation e = {.session = {.ctx = ctx}}, other = {.session = {.ctx = ctx}};
    int status = mfm_options_parse(ctx, &eval_options, argc, argv, &o, &arguments);
    int threads;
    mfm_interrupt_end("interrupted"); /* what is printed is printed at the end */
    if (!status)
        status = mfm_use_threads(ctx, (unsigned)o.threads, &threads);
    if (!status)
        status = prepare(&e, &o, &arguments);
    if (!status && o.compare)
        status = mfm_take_model(ctx, &o.compare);
    if (!status && o.compare)
        status = open_model(&other, &o, o.compare, MFM_PART_TEST);
    if (!status)
        status = run_model(&e, &o, e.prior.drawn);
    if (!status && o.compare)
        status = compare(&e, &o, &other);
    if (!status && o.json)
        status = mfm_eval_print_json(&e);
    else if (!status)
        mfm_eval_print_text(&e);
    clear(&e);
    clear(&other);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
