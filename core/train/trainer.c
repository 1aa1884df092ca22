#include "core/train/trainer.h"

#include <math.h>
#include <time.h>

#include "core/train/evaluate.h"

enum { STREAM_TRAIN, STREAM_META, LOADER_DEPTH = 4, EVALUATION_BATCH = 100 };

typedef struct trainer {
    mfm_training *training;
    const mfm_train_data *data;
    const mfm_train_events *events;
    mfm_loader *loader;
    mfm_evaluator *evaluator;
    mfm_confusion confusion;
    uint64_t session_first_step;
    double session_seconds; /* spent in steps */
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

static int open_loader(trainer *r)
{
    const mfm_training *t = r->training;
    const mfm_split *split = r->data->split;
    const mfm_feed_options common = {.images = &r->data->dataset->train,
                                     .preprocess = r->data->preprocess,
                                     .seed = t->options.seed};
    mfm_loader_stream streams[2] = {{.feed = common, .first_step = t->counters.step},
                                    {.feed = common, .first_step = t->counters.step}};
    streams[STREAM_TRAIN].feed.indices = split->train;
    streams[STREAM_TRAIN].feed.count = split->train_count;
    streams[STREAM_TRAIN].feed.batch = t->options.batch;
    streams[STREAM_TRAIN].feed.stream = MFM_STREAM_SHUFFLE;
    streams[STREAM_META].feed.indices = split->meta;
    streams[STREAM_META].feed.count = split->meta_count;
    streams[STREAM_META].feed.batch = t->options.meta_batch;
    streams[STREAM_META].feed.stream = MFM_STREAM_META;
    return mfm_loader_new(t->ctx, streams, t->options.method->needs_meta ? 2 : 1, LOADER_DEPTH,
                          &r->loader);
}

/* Batches run on across epochs: one larger than the set would leave epochs without a step. */
static int check_batch(const trainer *r)
{
    const uint32_t images = r->data->split->train_count, batch = r->training->options.batch;
    if (batch <= images)
        return MFM_OK;
    return mfm_fail(r->training->ctx, MFM_EINVAL,
                    "training: a batch of %u: the split has %u training images: a batch takes no "
                    "more than these",
                    batch, images);
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
    return mfm_fail(r->training->ctx, MFM_ENAN,
                    "training: step %llu: the %s loss is %s: likely causes are a learning rate "
                    "(%g) or modulator learning rate (%g) that is too high, or weights in the "
                    "model that were not finite from the start",
                    (unsigned long long)r->training->counters.step, train ? "meta" : "training",
                    loss_text(train ? losses->meta : losses->train), lr,
                    r->training->options.modulator_lr);
}

static void tell_step(const trainer *r, uint64_t epoch, double lr)
{
    const mfm_counters *c = &r->training->counters;
    if (!r->events->on_step)
        return;
    mfm_progress p = {.epoch = epoch, .step = c->step, .lr = lr};
    p.epoch_first_step = first_step_of(r, epoch);
    p.epoch_end_step = first_step_of(r, epoch + 1);
    p.last_step = first_step_of(r, r->training->options.epochs);
    p.train_loss = c->train_loss_sum / (double)c->epoch_steps;
    const double done = (double)(c->step - r->session_first_step);
    const double rate = r->session_seconds > 0 ? done / r->session_seconds : 0;
    p.images_per_second = rate * (double)r->training->options.batch;
    p.seconds_left = rate > 0 ? (double)(p.last_step - c->step) / rate : 0;
    r->events->on_step(r->events->self, &p);
}

static int run_step(trainer *r, uint64_t epoch)
{
    mfm_training *t = r->training;
    const double lr = mfm_schedule_lr(&t->options.schedule, epoch), start = now();
    mfm_batch train, meta = {NULL, NULL};
    mfm_loader_next(r->loader, STREAM_TRAIN, &train.images, &train.labels);
    if (t->options.method->needs_meta)
        mfm_loader_next(r->loader, STREAM_META, &meta.images, &meta.labels);
    mfm_step_losses losses;
    t->options.method->step(t, &train, &meta, lr, &losses);
    const int status = check_loss(r, &losses, lr);
    if (status)
        return status;
    t->counters.step++;
    t->counters.epoch_steps++;
    t->counters.train_loss_sum += losses.train;
    t->counters.meta_loss_sum += losses.meta;
    const double seconds = now() - start;
    t->counters.seconds += seconds;
    r->session_seconds += seconds;
    tell_step(r, epoch, lr);
    return MFM_OK;
}

/* After the numbers have been found finite. */
static int save(const trainer *r)
{
    return r->events->save ? r->events->save(r->events->self, r->training) : MFM_OK;
}

static int finish_epoch(trainer *r, uint64_t epoch)
{
    mfm_training *t = r->training;
    mfm_counters *c = &t->counters;
    int status = mfm_training_check_finite(t);
    if (status)
        return status;
    mfm_epoch_report report = {.epoch = (uint32_t)epoch + 1, .confusion = &r->confusion};
    report.lr = mfm_schedule_lr(&t->options.schedule, epoch);
    const double steps = (double)c->epoch_steps;
    report.train_loss = steps > 0 ? c->train_loss_sum / steps : NAN;
    report.meta_loss = steps > 0 && t->options.method->needs_meta ? c->meta_loss_sum / steps : NAN;
    report.seconds = c->seconds;
    mfm_evaluate(r->evaluator, &r->data->dataset->test, t->w, t->state, &r->confusion,
                 &report.test_loss);
    report.test_error = mfm_confusion_error(&r->confusion);
    report.best = report.test_error < c->best_error;
    c->last_error = report.test_error;
    if (report.best) {
        c->best_error = report.test_error;
        c->best_epoch = report.epoch;
    }
    c->train_loss_sum = c->meta_loss_sum = 0;
    c->epoch_steps = 0;
    if (r->events->on_epoch)
        status = r->events->on_epoch(r->events->self, &report);
    return status ? status : save(r);
}

static int run_epochs(trainer *r, const volatile sig_atomic_t *stop)
{
    mfm_training *t = r->training;
    uint64_t epoch =
        mfm_epoch_of_step(t->counters.step, r->data->split->train_count, t->options.batch);
    for (; epoch < t->options.epochs; epoch++) {
        const uint64_t end = first_step_of(r, epoch + 1);
        while (t->counters.step < end) {
            const int status = run_step(r, epoch);
            if (status)
                return status;
            if (stop && *stop && t->counters.step < end) {
                int saved = mfm_training_check_finite(t);
                if (!saved)
                    saved = save(r);
                return saved ? saved
                             : mfm_fail(t->ctx, MFM_EINTR,
                                        "interrupted after step %llu: the checkpoint is kept",
                                        (unsigned long long)t->counters.step);
            }
        }
        const int status = finish_epoch(r, epoch);
        if (status)
            return status;
        if (stop && *stop && epoch + 1 < t->options.epochs)
            return mfm_fail(t->ctx, MFM_EINTR,
                            "interrupted after epoch %llu: the checkpoint is kept",
                            (unsigned long long)epoch + 1);
    }
    return MFM_OK;
}

int mfm_train(mfm_training *training, const mfm_train_data *data, const mfm_train_events *events,
              const volatile sig_atomic_t *stop)
{
    trainer r = {.training = training,
                 .data = data,
                 .events = events,
                 .session_first_step = training->counters.step};
    mfm_ctx *ctx = training->ctx;
    int status = check_batch(&r);
    if (!status)
        status = mfm_confusion_init(ctx, &r.confusion, (int)training->split->classes);
    if (!status)
        status = open_loader(&r);
    if (!status)
        status = mfm_evaluator_new(ctx, training->split, data->preprocess, EVALUATION_BATCH,
                                   &r.evaluator);
    if (!status)
        status = run_epochs(&r, stop);
    if (r.loader)
        mfm_loader_free(ctx, r.loader);
    mfm_evaluator_free(r.evaluator);
    mfm_confusion_clear(ctx, &r.confusion);
    return status;
}
