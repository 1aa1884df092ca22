#include "core/train/trainer.h"

#include <math.h>
#include <time.h>

#include "core/train/comm/bad_images_of_all.h"
#include "core/train/comm/comm.h"
#include "core/train/evaluate.h"
#include "core/train/features/run_features.h"
#include "core/train/review.h"
#include "core/train/vector.h"

enum { LOADER_DEPTH = 4 };

typedef struct trainer {
    mfm_training *training;
    const mfm_train_data *data;
    const mfm_train_events *events;
    mfm_loader *loader;
    mfm_stream_use uses[MFM_MAX_STREAMS];
    int streams;
    mfm_evaluator *evaluator;
    mfm_confusion confusion;
    uint32_t validated;                /* images of the evaluation under way that lie behind it */
    real *finished;                    /* the weights as they are evaluated; NULL: as they are */
    const volatile sig_atomic_t *stop; /* NULL: nobody stops it */
    uint64_t session_first_step;
    double session_seconds;    /* spent in steps */
    double evaluation_seconds; /* an evaluation takes; 0: none has been measured */
    double saved_at;           /* on the clock of now() */
    double saving_seconds;     /* the last checkpoint took; 0: there was none */
    bool unsaved;              /* the last epoch has no checkpoint of its own */
    uint64_t epoch;            /* under way */
    bool by_itself;            /* this rank does something that the others wait for */
} trainer;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t first_step_of(const trainer *r, uint64_t epoch)
{
    return mfm_epoch_first_step(epoch, r->data->split->train_count, r->training->options.batch);
}

/* Batches of one part are drawn apart. */
static enum mfm_stream draws(const mfm_stream_use *use, int number)
{
    if (use->spec->from == MFM_FROM_META)
        return MFM_STREAM_META;
    return number == 0 ? MFM_STREAM_SHUFFLE : MFM_STREAM_SECOND;
}

/* Whether no batch of a stream needs its images: what only the prefix reads of them is kept. */
static bool needs_no_images(const trainer *r, const mfm_feed_options *feed)
{
    const mfm_training *t = r->training;
    return t->features && t->problem->images < 0 && !feed->mixing &&
           (mfm_feed_plain(feed) || feed->copies) &&
           mfm_frozen_features_kept_all(t->features, feed->images, feed->indices, feed->count,
                                        feed->copies);
}

static mfm_loader_stream loader_stream(const trainer *r, const mfm_stream_use *use, int number)
{
    const mfm_split *split = r->data->split;
    const bool meta = use->spec->from == MFM_FROM_META;
    const mfm_train_options *o = &r->training->options;
    mfm_loader_stream stream = {
        .feed = {.images = &r->data->dataset->train,
                 .preprocess = r->data->preprocess,
                 .indices = meta ? split->meta : split->train,
                 .count = meta ? split->meta_count : split->train_count,
                 .batch = use->batch,
                 .share = use->share,
                 .seed = o->seed,
                 .stream = draws(use, number),
                 .copies = mfm_copies_of_run(r->training, r->data),
                 .chosen = o->chosen,
                 .sampler = use->spec->sampler ? mfm_sampler_find(use->spec->sampler)
                            : meta             ? o->meta_sampler
                                               : o->sampler,
                 .epochs = o->epochs,
                 .defer = meta || use->spec->sampler ? 0 : o->defer_resample,
                 .mixing = meta ? NULL : o->mixing,
                 .classes = r->training->problem->classes,
                 .counts = split->train_per_class},
        .first_step = r->training->counters.batches[number]};
    stream.feed.no_images = needs_no_images(r, &stream.feed);
    return stream;
}

static int open_loader(trainer *r)
{
    mfm_loader_stream streams[MFM_MAX_STREAMS];
    _Static_assert((int)MFM_MAX_STREAMS <= (int)MFM_LOADER_STREAMS, "a loader carries them all");
    r->streams = mfm_method_streams(&r->training->options, r->uses);
    for (int i = 0; i < r->streams; i++)
        streams[i] = loader_stream(r, &r->uses[i], i);
    return mfm_loader_new(r->training->ctx, streams, r->streams, LOADER_DEPTH, 0, &r->loader);
}

/* Batches run on across epochs: one larger than the set would leave epochs without a step. */
static int check_batch(const trainer *r)
{
    const uint32_t images = r->data->split->train_count, batch = r->training->options.batch;
    if (batch <= images)
        return MFM_OK;
    return mfm_fail(r->training->ctx, MFM_EINVAL,
                    "training: --batch %u: the split has only %u training images: choose at "
                    "most %u",
                    batch, images, images);
}

static const char *loss_text(double loss)
{
    return isnan(loss) ? "not a number" : "infinite";
}

/* The images' statistics are fixed, so a constant image is nothing unusual; what usually explodes
 * is named in the message. */
static int check_loss(const trainer *r, const mfm_step_losses *losses, double lr)
{
    const bool train = isfinite(losses->train);
    if (train && isfinite(losses->meta))
        return MFM_OK;
    const char *rate = r->training->options.method->rate_option;
    return mfm_fail(r->training->ctx, MFM_ENAN,
                    "training: step %llu: the %s loss is %s: likely causes are a learning rate "
                    "(%g)%s%s that is too high, or weights in the model that were not finite from "
                    "the start",
                    (unsigned long long)r->training->counters.step, train ? "meta" : "training",
                    loss_text(train ? losses->meta : losses->train), lr, rate ? " or --" : "",
                    rate ? rate : "");
}

/* Over this session; before its first step, over the run so far. */
static double steps_per_second(const trainer *r)
{
    const mfm_counters *c = &r->training->counters;
    if (r->session_seconds > 0)
        return (double)(c->step - r->session_first_step) / r->session_seconds;
    return c->seconds > 0 ? (double)c->step / c->seconds : 0;
}

/* Images of an evaluation. */
static uint32_t to_evaluate(const trainer *r)
{
    return r->data->split->validation_count + r->data->dataset->test.count;
}

/* Until an evaluation has been measured: an image takes no more than a third of a step's share. */
static double seconds_of_evaluation(const trainer *r, double images_per_second)
{
    if (r->evaluation_seconds > 0 || images_per_second <= 0)
        return r->evaluation_seconds;
    return to_evaluate(r) / images_per_second / 3;
}

static void tell_progress(const trainer *r, uint32_t evaluated, uint32_t to_evaluate)
{
    const mfm_counters *c = &r->training->counters;
    const mfm_train_options *o = &r->training->options;
    if (!r->events->on_progress)
        return;
    mfm_progress p = {.epoch = r->epoch, .step = c->step};
    p.lr = mfm_schedule_lr(&o->schedule, r->epoch);
    p.epoch_first_step = first_step_of(r, r->epoch);
    p.epoch_end_step = first_step_of(r, r->epoch + 1);
    p.last_step = first_step_of(r, o->epochs);
    p.evaluated = evaluated;
    p.to_evaluate = to_evaluate;
    p.train_loss = c->epoch_steps ? c->train_loss_sum / (double)c->epoch_steps : 0;
    const double rate = steps_per_second(r);
    p.images_per_second = rate * (double)o->batch;
    const double evaluations = (double)(o->epochs - r->epoch) -
                               (to_evaluate ? (double)evaluated / (double)to_evaluate : 0);
    p.seconds_left = evaluations * seconds_of_evaluation(r, p.images_per_second);
    if (rate > 0)
        p.seconds_left += (double)(p.last_step - c->step) / rate;
    r->events->on_progress(r->events->self, &p);
}

/* *has_meta: one of them is of the meta set. */
static int read_batches(trainer *r, mfm_batch batches[MFM_MAX_STREAMS], bool *has_meta)
{
    mfm_training *t = r->training;
    const mfm_method *method = t->options.method;
    *has_meta = false;
    for (int i = 0; i < r->streams; i++) {
        batches[i] = (mfm_batch){.n = 0};
        if (method->reads && !method->reads(t, i))
            continue;
        int status = mfm_loader_next(r->loader, i, &batches[i], NULL);
        if (!status)
            status = mfm_training_add_features(t, i, &r->data->dataset->train, &batches[i]);
        if (status)
            return status;
        t->counters.batches[i]++;
        *has_meta |= r->uses[i].spec->from == MFM_FROM_META;
    }
    return MFM_OK;
}

static int run_step(trainer *r)
{
    mfm_training *t = r->training;
    const double lr = mfm_schedule_lr(&t->options.schedule, r->epoch), start = now();
    mfm_batch batches[MFM_MAX_STREAMS];
    mfm_step_losses losses;
    bool has_meta;
    int status = read_batches(r, batches, &has_meta);
    if (status)
        return status;
    t->options.method->step(t, batches, lr, &losses);
    status = check_loss(r, &losses, lr);
    if (status)
        return status;
    t->counters.step++;
    t->counters.epoch_steps++;
    t->counters.epoch_meta_steps += has_meta;
    t->counters.train_loss_sum += losses.train;
    t->counters.meta_loss_sum += losses.meta;
    const double seconds = now() - start;
    t->counters.seconds += seconds;
    r->session_seconds += seconds;
    tell_progress(r, 0, 0);
    return MFM_OK;
}

static int save(trainer *r)
{
    if (!r->events->save)
        return MFM_OK;
    const double start = now();
    int status = mfm_training_check_finite(r->training);
    if (!status)
        status = r->events->save(r->events->self, r->training);
    r->saved_at = now();
    r->saving_seconds = r->saved_at - start;
    r->unsaved = false;
    return status;
}

static int save_if_due(trainer *r)
{
    const double age = r->events->save_seconds;
    return age > 0 && now() - r->saved_at >= age ? save(r) : MFM_OK;
}

/* At one rank is at all: they ask together, but where rank 0 is at work by itself. */
static bool stopped(const trainer *r)
{
    const int here = r->stop && *r->stop;
    return r->by_itself ? here : mfm_comm_max(r->training->options.comm, here) != 0;
}

/* Keeps a checkpoint, and tells where: "step 7", "epoch 2". */
static int interrupt(trainer *r, const char *place, uint64_t number, const char *more)
{
    const int saved = save(r);
    return saved ? saved
                 : mfm_fail(r->training->ctx, MFM_EINTR,
                            "interrupted after %s %llu%s: the checkpoint is kept", place,
                            (unsigned long long)number, more);
}

static int on_evaluated(void *self, uint32_t done, uint32_t total)
{
    trainer *r = self;
    (void)total;
    tell_progress(r, r->validated + done, to_evaluate(r));
    if (r->validated + done == to_evaluate(r))
        return MFM_OK;
    if (stopped(r))
        return interrupt(r, "the steps of epoch", r->epoch + 1, ", in its evaluation");
    return save_if_due(r);
}

static int on_looked_through(void *self, uint32_t done, uint32_t total)
{
    trainer *r = self;
    if (!stopped(r) || done == total)
        return MFM_OK;
    return interrupt(r, "step", r->training->counters.step, ", before the next");
}

static int on_features(void *self, const char *doing, uint32_t done, uint32_t total)
{
    const trainer *r = self;
    if (r->events->on_features)
        r->events->on_features(r->events->self, doing, done, total);
    return done ? on_looked_through(self, done, total) : MFM_OK;
}

static int keep_features(trainer *r)
{
    const mfm_feature_watch watch = {.self = r, .on_images = on_features};
    r->by_itself = r->training->options.feature_cache != NULL;
    const int status = mfm_keep_run_features(r->training, r->data, r->events, &watch);
    r->by_itself = false;
    return status;
}

static int evaluate_part(trainer *r, const mfm_images *images, const uint32_t *indices,
                         uint32_t count, double *loss)
{
    const mfm_training *t = r->training;
    const mfm_evaluation_watch watch = {.self = r, .on_batch = on_evaluated};
    return mfm_evaluate_some(r->evaluator, images, indices, count, r->finished ? r->finished : t->w,
                             t->state, &watch, &r->confusion, loss);
}

/* The test images last: the confusion that is reported is theirs. */
static int evaluate(trainer *r, mfm_epoch_report *report)
{
    mfm_training *t = r->training;
    const mfm_dataset *dataset = r->data->dataset;
    const mfm_split *split = r->data->split;
    const double start = now();
    int status = MFM_OK;
    report->validation_error = report->validation_loss = NAN;
    r->validated = 0;
    mfm_training_share_statistics(t);
    if (r->finished)
        mfm_training_finish(t, false, r->finished);
    if (split->validation_count > 0) {
        status = evaluate_part(r, &dataset->train, split->validation, split->validation_count,
                               &report->validation_loss);
        report->validation_error = mfm_confusion_balanced_error(&r->confusion);
    }
    r->validated = split->validation_count;
    if (!status)
        status = evaluate_part(r, &dataset->test, NULL, dataset->test.count, &report->test_loss);
    r->evaluation_seconds = now() - start;
    report->test_error = status ? 0 : mfm_confusion_error(&r->confusion);
    return status;
}

static int save_epoch(trainer *r, const mfm_epoch_report *report)
{
    const mfm_problem *p = r->training->problem;
    const size_t numbers =
        p->main->params_size + (p->prefix.graph ? p->prefix.graph->params_size : 0);
    const bool spares = r->events->spare_from > 0 && numbers >= r->events->spare_from;
    const bool must = report->best_validated || report->epoch == r->training->options.epochs;
    r->unsaved = true;
    return !spares || mfm_epoch_saves(must, r->saving_seconds, now() - r->saved_at) ? save(r)
                                                                                    : MFM_OK;
}

/* The counters are those of an epoch under way until its evaluation is over: a checkpoint that is
 * kept before has the evaluation repeated. */
static int finish_epoch(trainer *r)
{
    mfm_training *t = r->training;
    mfm_counters *c = &t->counters;
    mfm_epoch_report report = {.epoch = (uint32_t)r->epoch + 1, .confusion = &r->confusion};
    int status = mfm_training_check_finite(t);
    if (!status)
        status = mfm_training_check_alike(t);
    if (!status)
        status = mfm_bad_images_of_all(t->options.comm, t->ctx, &r->data->dataset->train);
    if (!status)
        status = evaluate(r, &report);
    if (status)
        return status;
    report.lr = mfm_schedule_lr(&t->options.schedule, r->epoch);
    const double steps = (double)c->epoch_steps;
    report.train_loss = steps > 0 ? c->train_loss_sum / steps : NAN;
    report.meta_loss = c->epoch_meta_steps ? c->meta_loss_sum / (double)c->epoch_meta_steps : NAN;
    report.seconds = c->seconds;
    mfm_count_epoch(c, &report);
    if (r->events->on_epoch)
        status = r->events->on_epoch(r->events->self, &report);
    return status ? status : save_epoch(r, &report);
}

/* The loss's costs: they change before an epoch's first step, with no checkpoint in between. */
static int set_costs(trainer *r)
{
    mfm_training *t = r->training;
    const mfm_evaluation_watch watch = {.self = r, .on_batch = on_looked_through};
    if (!t->costs)
        return MFM_OK;
    int status = MFM_OK;
    mfm_training_share_statistics(t);
    if (r->finished)
        mfm_training_finish(t, false, r->finished);
    if (r->epoch > 0 && t->counters.epoch_steps == 0)
        status = mfm_review(t, r->data, r->evaluator, r->finished ? r->finished : t->w, &watch,
                            &r->confusion);
    mfm_problem_set_costs(t->problem, t->costs);
    return status;
}

static int run_epoch(trainer *r)
{
    const mfm_counters *c = &r->training->counters;
    const uint64_t end = first_step_of(r, r->epoch + 1);
    mfm_problem_set_epoch(r->training->problem, r->epoch);
    r->training->epoch = r->epoch;
    const int changed = set_costs(r);
    if (changed)
        return changed;
    while (c->step < end) {
        int status = run_step(r);
        if (!status && c->step < end)
            status = stopped(r) ? interrupt(r, "step", c->step, "") : save_if_due(r);
        if (status)
            return status;
    }
    return finish_epoch(r);
}

static int make_evaluator(trainer *r)
{
    const mfm_training *t = r->training;
    int64_t batch;
    int status = mfm_evaluation_batch(t->ctx, t->problem, t->features, &batch);
    if (!status)
        status = mfm_evaluator_new(t->ctx, t->problem, r->data->preprocess, batch, &r->evaluator);
    if (!status)
        mfm_evaluator_share(r->evaluator, t->options.comm);
    return status || !t->features ? status : mfm_evaluator_use_features(r->evaluator, t->features);
}

static int run_epochs(trainer *r)
{
    const mfm_training *t = r->training;
    r->epoch = mfm_epochs_finished(t, r->data->split);
    for (; r->epoch < t->options.epochs; r->epoch++) {
        const int status = run_epoch(r);
        if (status)
            return status;
        if (!stopped(r) || r->epoch + 1 == t->options.epochs)
            continue;
        if (r->unsaved)
            return interrupt(r, "epoch", r->epoch + 1, "");
        return mfm_fail(t->ctx, MFM_EINTR, "interrupted after epoch %llu: the checkpoint is kept",
                        (unsigned long long)r->epoch + 1);
    }
    return MFM_OK;
}

int mfm_train(mfm_training *training, const mfm_train_data *data, const mfm_train_events *events,
              const volatile sig_atomic_t *stop)
{
    trainer r = {.training = training,
                 .data = data,
                 .events = events,
                 .stop = stop,
                 .saved_at = now(),
                 .session_first_step = training->counters.step};
    mfm_ctx *ctx = training->ctx;
    mfm_leave_telling(training->options.comm, data->dataset);
    int status = check_batch(&r);
    if (!status)
        status = mfm_confusion_init(ctx, &r.confusion, (int)training->problem->classes);
    if (!status && training->options.method->start)
        status = training->options.method->start(training);
    if (!status)
        status = keep_features(&r);
    if (!status)
        mfm_tell_loss(training, data, events);
    if (!status)
        status = open_loader(&r);
    if (!status)
        status = make_evaluator(&r);
    if (!status && mfm_training_evaluates_copy(training))
        status = mfm_vector_new(ctx, NULL, training->problem->main->params_size, &r.finished);
    if (!status)
        status = run_epochs(&r);
    mfm_free_aligned(ctx, r.finished);
    if (r.loader)
        mfm_loader_free(ctx, r.loader);
    mfm_evaluator_free(r.evaluator);
    mfm_confusion_clear(ctx, &r.confusion);
    return status;
}
