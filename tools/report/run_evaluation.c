#include "tools/report/run_evaluation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/train/evaluate.h"
#include "tools/options/groups/data_options.h"
#include "tools/options/groups/prior_option.h"
#include "tools/report/mistakes.h"
#include "tools/report/run_scatters.h"
#include "tools/show/meter.h"
#include "tools/train/session.h"

/* Who follows the evaluation. */
typedef struct follower {
    mfm_meter meter;
    mfm_run_evaluation *to;
    mfm_mistakes mistakes;
    mfm_test_prior **drawn; /* [n_priors] */
    uint32_t *next;         /* [n_priors] the image among those drawn that comes next */
    uint32_t at;            /* of the image that comes next */
    int classes;
    int points, per_class; /* points wanted, of each class at most */
    int *taken;            /* [classes] */
    real *soft_labels;     /* [points, classes] */
    int count;             /* points taken */
} follower;

static int on_batch(void *self, uint32_t done, uint32_t total)
{
    follower *f = self;
    mfm_meter_images(&f->meter, "evaluating", done, total);
    return MFM_OK;
}

/* The first images of each class are the points. */
static void take_point(follower *f, int label, const real *logits)
{
    if (f->count >= f->points || f->taken[label] >= f->per_class)
        return;
    double top = -INFINITY, sum = 0;
    real *row = f->soft_labels + (size_t)f->count * (size_t)f->classes;
    for (int c = 0; c < f->classes; c++)
        top = fmax(top, (double)logits[c]);
    for (int c = 0; c < f->classes; c++)
        sum += exp((double)logits[c] - top);
    if (!isfinite(sum))
        return;
    for (int c = 0; c < f->classes; c++)
        row[c] = (real)(exp((double)logits[c] - top) / sum);
    f->taken[label]++;
    f->to->groups[f->count++] = label;
}

static void on_image(void *self, const mfm_outcome *outcome, const real *logits)
{
    follower *f = self;
    mfm_predictions_add(&f->to->predictions, outcome);
    if (outcome->label >= 0 && outcome->rank > 0)
        mfm_mistakes_offer(&f->mistakes, f->at, outcome, logits, f->classes);
    if (outcome->label >= 0 && f->points > 0)
        take_point(f, outcome->label, logits);
    for (int k = 0; k < f->to->n_priors; k++)
        if (f->next[k] < f->drawn[k]->count && f->drawn[k]->indices[f->next[k]] == f->at) {
            f->next[k]++;
            if (outcome->label >= 0)
                mfm_confusion_add(&f->to->priors[k], outcome->label, outcome->predicted);
        }
    f->at++;
}

/* ---- the run's model and images ---- */

static double number_of(const mfm_run_record *r, const char *name)
{
    return json_number_value(json_object_get(json_object_get(r->run, "options"), name));
}

static bool flag_of(const mfm_run_record *r, const char *name)
{
    return json_is_true(json_object_get(json_object_get(r->run, "options"), name));
}

/* "idx:folder" as it is named from here. */
static char *place_data(const mfm_run_record *r)
{
    const char *data = mfm_run_record_option(r, "data"), *colon = strchr(data, ':');
    if (!colon)
        return mfm_strdup(r->ctx, data);
    char *place = mfm_run_record_place(r, colon + 1);
    char *text = place ? mfm_format(r->ctx, "%.*s:%s", (int)(colon - data), data, place) : NULL;
    mfm_free(r->ctx, place);
    return text;
}

static int open_images(const mfm_run_record *r, mfm_session *s)
{
    const char *told = mfm_run_record_option(r, "list");
    const bool skips = strcmp(mfm_run_record_option(r, "on-bad-image"), "skip") == 0;
    char *data = place_data(r), *list = mfm_run_record_place(r, told);
    const mfm_images_wanted wanted = {.specification = data,
                                      .options = {.list = strcmp(told, "-") == 0 ? NULL : list,
                                                  .test_part = number_of(r, "test-part"),
                                                  .test_seed = (uint64_t)number_of(r, "test-seed"),
                                                  .on_bad = skips ? MFM_BAD_SKIP : MFM_BAD_STOP},
                                      .parts = MFM_PART_TEST,
                                      .fit = flag_of(r, "fit")   ? MFM_FIT_RESIZE
                                             : flag_of(r, "pad") ? MFM_FIT_PAD
                                                                 : MFM_FIT_NONE,
                                      .normalise = MFM_NORMALISE_MODEL};
    const int status = data && list ? mfm_session_open_data(s, &wanted) : MFM_ENOMEM;
    mfm_free(r->ctx, data);
    mfm_free(r->ctx, list);
    return status;
}

static int check_images(const mfm_run_record *r, const mfm_session *s)
{
    char hash[17];
    const char *stored = json_string_value(json_object_get(r->run, "test"));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)mfm_test_hash(s->dataset));
    if (!stored || strcmp(stored, hash) == 0)
        return MFM_OK;
    return mfm_fail(r->ctx, MFM_EDATA,
                    "%s: the test images (hash %s) are not those of the run (%s)", s->dataset->name,
                    hash, stored);
}

static int open_run(const mfm_run_record *r, mfm_session *s)
{
    char *path = mfm_format(r->ctx, "%s/model.onnx", r->path);
    int status = path ? mfm_session_open(s, path) : MFM_ENOMEM;
    if (!status)
        status = mfm_session_import(s);
    if (!status)
        status = mfm_session_build(s, NULL, true);
    if (!status)
        status = open_images(r, s);
    if (!status)
        status = check_images(r, s);
    if (!status && s->problem->classes != r->classes)
        status = mfm_fail(r->ctx, MFM_EDATA, "%s: %lld outputs: the run has %d classes", path,
                          (long long)s->problem->classes, r->classes);
    mfm_free(r->ctx, path);
    return status;
}

static int make_room(mfm_run_evaluation *e, const mfm_session *s,
                     const mfm_run_evaluation_options *o, follower *f)
{
    const int classes = (int)s->problem->classes;
    const size_t points = (size_t)o->points;
    f->classes = classes;
    f->points = o->points;
    f->per_class = o->points > classes ? o->points / classes : 1; /* of all classes equally many */
    f->taken = mfm_alloc(e->ctx, (size_t)classes, sizeof *f->taken);
    f->soft_labels = mfm_alloc_aligned(e->ctx, (points + 1) * (size_t)classes, sizeof(real));
    e->groups = mfm_alloc(e->ctx, points + 1, sizeof *e->groups);
    int status = f->taken && f->soft_labels && e->groups ? MFM_OK : MFM_ENOMEM;
    if (!status)
        status = mfm_mistakes_init(e->ctx, &f->mistakes, o->mistakes);
    if (!status)
        status = mfm_confusion_init(e->ctx, &e->confusion, classes);
    return status ? status : mfm_predictions_init(e->ctx, &e->predictions, s->dataset->test.count);
}

static int classify(const mfm_session *s, const mfm_run_evaluation_options *o, follower *f)
{
    mfm_evaluator *evaluator;
    double loss;
    int status = mfm_evaluator_new(s->ctx, s->problem, &s->preprocess, o->batch, &evaluator);
    if (status)
        return status;
    const mfm_evaluation_watch watch = {.self = f, .on_batch = on_batch, .on_image = on_image};
    mfm_meter_init(&f->meter, stderr, 1, -1, NAN);
    status = mfm_evaluate(evaluator, &s->dataset->test, s->problem->main->params,
                          s->problem->main->state, &watch, &f->to->confusion, &loss);
    mfm_meter_clear(&f->meter);
    mfm_evaluator_free(evaluator);
    return status;
}

static int add_scatters(mfm_run_record *r, const follower *f)
{
    char *path = mfm_format(r->ctx, "%s/modulator.onnx", r->path);
    int status = path ? MFM_OK : MFM_ENOMEM;
    if (!status && f->count >= 4 && access(path, F_OK) == 0)
        status = mfm_run_scatters(r, path, f->soft_labels, f->count, f->to);
    mfm_free(r->ctx, path);
    return status;
}

/* The images that eval draws by these label distributions. */
static int draw_priors(mfm_run_evaluation *e, const mfm_session *s,
                       const mfm_run_evaluation_options *o, follower *f)
{
    e->priors = mfm_alloc(e->ctx, (size_t)o->n_priors + 1, sizeof *e->priors);
    f->drawn = mfm_alloc(e->ctx, (size_t)o->n_priors + 1, sizeof *f->drawn);
    f->next = mfm_alloc(e->ctx, (size_t)o->n_priors + 1, sizeof *f->next);
    int status = e->priors && f->drawn && f->next ? MFM_OK : MFM_ENOMEM;
    for (int k = 0; k < o->n_priors && !status; k++) {
        status = mfm_confusion_init(e->ctx, &e->priors[e->n_priors++], f->classes);
        if (!status)
            status = mfm_prior_option_draw(e->ctx, o->priors[k], 0, s->dataset, &f->drawn[k]);
    }
    return status;
}

static void clear_follower(mfm_ctx *ctx, follower *f)
{
    for (int k = 0; k < f->to->n_priors && f->drawn; k++)
        mfm_test_prior_free(ctx, f->drawn[k]);
    mfm_mistakes_clear(ctx, &f->mistakes);
    mfm_free(ctx, f->drawn);
    mfm_free(ctx, f->next);
    mfm_free(ctx, f->taken);
    mfm_free_aligned(ctx, f->soft_labels);
}

int mfm_run_evaluate(mfm_run_record *record, const mfm_run_evaluation_options *options,
                     mfm_run_evaluation *evaluation)
{
    mfm_ctx *ctx = record->ctx;
    mfm_session session = {.ctx = ctx};
    follower f = {.to = evaluation};
    *evaluation = (mfm_run_evaluation){.ctx = ctx};
    int status = open_run(record, &session);
    if (!status)
        status = make_room(evaluation, &session, options, &f);
    if (!status)
        status = draw_priors(evaluation, &session, options, &f);
    if (!status)
        status = classify(&session, options, &f);
    if (!status)
        status = mfm_mistakes_show(&f.mistakes, session.dataset, record, evaluation);
    if (!status) {
        record->page.confusion = &evaluation->confusion;
        record->page.predictions = &evaluation->predictions;
        record->page.prior_names = options->priors;
        record->page.priors = evaluation->priors;
        record->page.n_priors = evaluation->n_priors;
        status = add_scatters(record, &f);
    }
    clear_follower(ctx, &f);
    mfm_session_clear(&session);
    return status;
}

void mfm_run_evaluation_clear(mfm_run_evaluation *e)
{
    for (int i = 0; i < e->n_scatters; i++)
        mfm_free(e->ctx, e->layouts[i]);
    for (int i = 0; i < e->n_priors; i++)
        mfm_confusion_clear(e->ctx, &e->priors[i]);
    void *const parts[] = {e->layouts, e->scatters, e->mistakes, e->groups, e->priors};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        mfm_free(e->ctx, parts[i]);
    mfm_confusion_clear(e->ctx, &e->confusion);
    mfm_predictions_clear(e->ctx, &e->predictions);
}
