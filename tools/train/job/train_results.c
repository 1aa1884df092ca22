/* What comes out of a training run: its files while it runs, and what is printed at the end. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "core/data/sources/source.h"
#include "core/report/class_groups.h"
#include "core/train/evaluate.h"
#include "core/train/vector.h"
#include "onnx/info/best_info.h"
#include "onnx/checkpoint.h"
#include "onnx/export.h"
#include "onnx/modulator.h"
#include "onnx/surgery/head/unit_features.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/plain_model.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"
#include "tools/show/shell_word.h"
#include "tools/report/run_report.h"
#include "tools/train/job/train_job.h"

enum { RAREST = 5, PAGE_SECONDS = 5, LARGE = 1 << 22 /* numbers: 16 MiB */ };

/* Percent points by which the written file may differ from the run's last evaluation: weights that
 * the file keeps in 16 bits are rounded. */
static const double error_tolerance = 0.5;

/* The weights that make a plain classifier of it, where they are not those that are trained, and
 * the nodes that such weights are for. */
static int finish_plain(mfm_train_job *job, mfm_model *plain)
{
    const mfm_training *t = job->training;
    const mfm_graph *graph = t->problem->main;
    const mfm_classifier *classifier = &t->problem->classifier;
    real *params;
    if (!mfm_training_finishes(t))
        return MFM_OK;
    int status =
        t->problem->spec.loss->fold
            ? mfm_model_unit_features(job->ctx, plain, graph->values[classifier->weight].name)
            : MFM_OK;
    if (!status)
        status = mfm_vector_new(job->ctx, NULL, graph->params_size, &params);
    if (status)
        return status;
    mfm_training_finish(t, true, params);
    status = mfm_model_write_values(job->ctx, plain, graph, params, NULL);
    mfm_free_aligned(job->ctx, params);
    return status;
}

int mfm_train_job_plain(mfm_train_job *job, mfm_model **plain)
{
    int status = mfm_plain_model(job->ctx, job->session.model, true, plain);
    if (!status)
        status = finish_plain(job, *plain);
    if (status) {
        mfm_model_free(*plain);
        *plain = NULL;
    }
    return status;
}

static int write_plain(mfm_train_job *job, const char *path)
{
    mfm_model *plain;
    int status = mfm_train_job_plain(job, &plain);
    if (!status)
        status = mfm_save_output(job->ctx, plain, path);
    mfm_model_free(plain);
    return status;
}

static int write_modulator(mfm_train_job *job)
{
    mfm_model *modulator;
    const mfm_train_options *o = &job->training->options;
    int status = mfm_model_modulator(job->ctx, job->session.model, &modulator);
    if (!status && o->method->modulator_input)
        status = mfm_modulator_set_input(modulator, o->method->modulator_input(o));
    if (!status)
        status = mfm_model_save(job->ctx, modulator, job->folder.modulator);
    mfm_model_free(modulator);
    return status;
}

static void on_progress(void *self, const mfm_progress *progress)
{
    mfm_train_job *job = self;
    mfm_meter_progress(&job->meter, progress);
}

static void on_features(void *self, const char *doing, uint32_t done, uint32_t total)
{
    mfm_train_job *job = self;
    mfm_meter_images(&job->meter, doing, done, total);
    if (done == total)
        mfm_meter_clear(&job->meter);
}

static void on_note(void *self, const char *note)
{
    mfm_train_job *job = self;
    mfm_meter_clear(&job->meter);
    fprintf(stderr, "%s\n", note);
}

static int on_epoch(void *self, const mfm_epoch_report *r)
{
    mfm_train_job *job = self;
    job->latest = r->confusion;
    mfm_meter_epoch(&job->meter, r);
    json_t *recall = json_array();
    for (int c = 0; c < r->confusion->classes; c++)
        json_array_append_new(recall, mfm_json_number(mfm_confusion_recall(r->confusion, c)));
    json_t *line = json_pack(
        "{s:i, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:f, s:f}", "epoch", (int)r->epoch, "train_loss",
        mfm_json_number(r->train_loss), "meta_loss", mfm_json_number(r->meta_loss), "test_error",
        r->test_error, "test_loss", mfm_json_number(r->test_loss), "validation_error",
        mfm_json_number(r->validation_error), "validation_loss",
        mfm_json_number(r->validation_loss), "recall", recall, "seconds", r->seconds, "lr", r->lr);
    const int status = line ? mfm_run_folder_log(&job->folder, line)
                            : mfm_fail(job->ctx, MFM_ENOMEM, "metrics: out of memory");
    json_decref(line);
    return status;
}

/* Whether the run has a modulator that lies in the model. */
static bool has_modulator(const mfm_training *training)
{
    for (int i = 0; i < training->problem->n_hypers; i++)
        if (training->problem->hypers[i].in_model)
            return true;
    return false;
}

static bool of_best_epoch(const mfm_train_job *job)
{
    const mfm_counters *c = &job->training->counters;
    return c->best_validation_epoch > 0 &&
           c->best_validation_epoch == mfm_epochs_finished(job->training, job->split);
}

static int write_best(mfm_train_job *job)
{
    const mfm_counters *c = &job->training->counters;
    const mfm_best_info info = {c->best_validation_epoch, c->best_validation_error};
    mfm_model *plain;
    int status = mfm_train_job_plain(job, &plain);
    if (!status)
        status = mfm_best_info_write(job->ctx, plain, &info);
    if (!status)
        status = mfm_model_save(job->ctx, plain, job->folder.best);
    mfm_model_free(plain);
    return status;
}

/* What is made of the checkpoint at the end of an epoch: saving it has brought the model's numbers
 * up to date. */
static int write_epoch(mfm_train_job *job)
{
    int status = write_plain(job, job->folder.model);
    if (!status && of_best_epoch(job))
        status = write_best(job);
    if (!status && has_modulator(job->training))
        status = write_modulator(job);
    return status;
}

/* The page of a run under way, some seconds old at the most: for short epochs it would cost more
 * than they do. A run goes on without it. */
static void write_page(mfm_train_job *job)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    if (!job->latest || now - job->page_seconds < PAGE_SECONDS)
        return;
    if (mfm_run_report(job->ctx, &job->folder, job->latest, true))
        mfm_warn(job->ctx, "no %s: %s", job->folder.report, mfm_message(job->ctx));
    job->page_seconds = now;
}

static int on_save(void *self, const mfm_training *training)
{
    mfm_train_job *job = self;
    int status = mfm_checkpoint_save(job->ctx, job->session.model, training, job->run_text,
                                     job->folder.checkpoint, MFM_RUN_PREVIOUS);
    const bool epoch_over = training->counters.epoch_steps == 0;
    if (!status && epoch_over)
        status = write_epoch(job);
    if (!status)
        status = mfm_run_folder_sweep(&job->folder);
    if (!status && epoch_over)
        write_page(job);
    return status;
}

/* Whether best.onnx is the model that the counters call the best. */
static int check_best(mfm_train_job *job, bool *same)
{
    const mfm_counters *c = &job->training->counters;
    mfm_model *best = NULL;
    mfm_best_info info = {0};
    const int status = mfm_model_open(job->ctx, job->folder.best, &best);
    *same = false;
    if (!status)
        mfm_best_info_read(best, &info, same);
    *same &=
        info.epoch == c->best_validation_epoch && info.validation_error == c->best_validation_error;
    mfm_model_free(best);
    return status == MFM_EDATA || status == MFM_EIO || status == MFM_ENOTSUP ? MFM_OK : status;
}

/* best.onnx is written after the checkpoint that calls its epoch the best. So one that a kill left
 * behind is made again here, and else only another's hand, or the fall back to an earlier
 * checkpoint, makes the two differ. */
int mfm_train_job_renew(mfm_train_job *job)
{
    mfm_counters *c = &job->training->counters;
    bool same = true;
    int status = MFM_OK;
    if (!job->arguments.resume)
        return MFM_OK;
    if (c->epoch_steps == 0 && c->step > 0)
        status = write_epoch(job);
    if (!status)
        status = mfm_run_folder_sweep(&job->folder);
    if (!status && c->best_validation_epoch > 0)
        status = check_best(job, &same);
    if (status || same)
        return status;
    mfm_warn(job->ctx,
             "%s is not the model of epoch %u, which has the lowest validation error so far: it "
             "will be chosen among the epochs to come",
             job->folder.best, c->best_validation_epoch);
    c->best_validation_epoch = 0;
    c->best_validation_error = c->best_validation_test_error = NAN;
    return MFM_OK;
}

mfm_train_events mfm_train_job_events(mfm_train_job *job)
{
    return (mfm_train_events){.self = job,
                              .on_progress = on_progress,
                              .on_epoch = on_epoch,
                              .on_features = on_features,
                              .on_note = on_note,
                              .save = on_save,
                              .save_seconds = 60 * job->arguments.checkpoint_minutes,
                              .spare_from = LARGE};
}

int mfm_train_job_interrupted(mfm_train_job *job)
{
    mfm_ctx *ctx = job->ctx;
    char *words[2] = {mfm_strdup(ctx, mfm_message(ctx)), mfm_shell_word(ctx, job->folder.path)};
    /* The run can go on without a page: what is wrong with it does not hide the interruption. */
    if (words[0] && mfm_run_report(ctx, &job->folder, NULL, false))
        mfm_warn(ctx, "no %s: %s", job->folder.report, mfm_message(ctx));
    if (words[0] && words[1])
        mfm_fail(ctx, MFM_EINTR, "%s: to go on: onnx-mfm train --run %s --resume", words[0],
                 words[1]);
    for (int i = 0; i < 2; i++)
        mfm_free(ctx, words[i]);
    return MFM_EINTR;
}

/* ---- the end ---- */

static int on_read_back(void *self, uint32_t done, uint32_t total)
{
    mfm_train_job *job = self;
    mfm_meter_images(&job->meter, "evaluating", done, total);
    if (!*mfm_interrupt_signal())
        return MFM_OK;
    return mfm_fail(job->ctx, MFM_EINTR,
                    "interrupted after the training: %s is written, not checked",
                    job->arguments.output);
}

/* What there is to warn of was told when the model was imported that is trained. */
static int open_output(mfm_train_job *job, mfm_session *written)
{
    /* What went into a pipe stands in the run folder, too. */
    const char *output = job->arguments.output;
    mfm_ctx_hold_warnings(job->ctx);
    int status =
        mfm_session_open(written, mfm_is_regular_output(output) ? output : job->folder.model);
    if (!status)
        status = mfm_session_import(written);
    if (!status)
        status = mfm_session_build(written, NULL, true);
    mfm_ctx_release_warnings(job->ctx);
    const char *beside = status ? NULL : mfm_model_beside(written->model, 0);
    if (beside) {
        job->weights = mfm_strdup(job->ctx, beside);
        status = job->weights ? MFM_OK : MFM_ENOMEM;
    }
    return status;
}

/* Reads back what was written: the results that are printed are those of the file. */
static int evaluate_output(mfm_train_job *job, mfm_confusion *confusion)
{
    mfm_session written = {.ctx = job->ctx};
    mfm_evaluator *evaluator = NULL;
    const mfm_evaluation_watch watch = {.self = job, .on_batch = on_read_back};
    double loss;
    int64_t batch;
    int status = open_output(job, &written);
    if (!status)
        status = mfm_confusion_init(job->ctx, confusion, (int)written.problem->classes);
    if (!status)
        status = mfm_evaluation_batch(job->ctx, written.problem, NULL, &batch);
    if (!status)
        status = mfm_evaluator_new(job->ctx, written.problem, &job->session.preprocess, batch,
                                   &evaluator);
    if (!status)
        status = on_read_back(job, 0, job->session.dataset->test.count);
    if (!status)
        status = mfm_evaluate(evaluator, &job->session.dataset->test, written.problem->main->params,
                              written.problem->main->state, &watch, confusion, &loss);
    mfm_meter_clear(&job->meter);
    mfm_evaluator_free(evaluator);
    mfm_session_clear(&written);
    return status;
}

static int check_output(mfm_train_job *job, const mfm_confusion *confusion)
{
    const double error = mfm_confusion_error(confusion);
    const double trained = job->training->counters.last_error;
    if (fabs(error - trained) <= error_tolerance)
        return MFM_OK;
    return mfm_fail(job->ctx, MFM_ENAN,
                    "%s: error %.2f %% when read back, %.2f %% when it was trained",
                    job->arguments.output, error, trained);
}

/* The next class by number of training images, after the classes already taken. */
static int next_rarest(const mfm_split *split, const bool *taken)
{
    int rarest = -1;
    for (int c = 0; c < split->classes; c++)
        if (!taken[c] && (rarest < 0 || split->train_per_class[c] < split->train_per_class[rarest]))
            rarest = c;
    return rarest;
}

static int print_rarest(const mfm_train_job *job, const mfm_confusion *confusion)
{
    bool *taken = mfm_alloc(job->ctx, (size_t)job->split->classes, sizeof *taken);
    if (!taken)
        return MFM_ENOMEM;
    printf("recall of the classes with the fewest training images:\n");
    for (int i = 0; i < RAREST && i < job->split->classes; i++) {
        const int c = next_rarest(job->split, taken);
        taken[c] = true;
        printf("  ");
        mfm_print_name(stdout, job->session.dataset->class_names[c], 20);
        printf(" %6u image%s", job->split->train_per_class[c],
               job->split->train_per_class[c] == 1 ? " " : "s");
        if (mfm_confusion_class_images(confusion, c) == 0)
            printf("       - (no test images)\n");
        else
            printf("  %6.2f %%\n", mfm_confusion_recall(confusion, c));
    }
    mfm_free(job->ctx, taken);
    return MFM_OK;
}

/* What chose an epoch is told with it: the lowest test error is no estimate of anything. */
static void print_errors(const mfm_train_job *job)
{
    const mfm_counters *c = &job->training->counters;
    printf("test error: last %.2f %% (epoch %u), lowest %.2f %% (epoch %u, chosen on the test "
           "images)\n",
           c->last_error, job->training->options.epochs, c->best_error, c->best_epoch);
    if (c->best_validation_epoch > 0)
        printf("validation error: last %.2f %%, lowest %.2f %% (epoch %u, test error %.2f %%)\n",
               c->last_validation_error, c->best_validation_error, c->best_validation_epoch,
               c->best_validation_test_error);
}

/* The command that evaluates the model on the same test images. */
static void print_eval(const mfm_train_job *job, const char *output, const char *data,
                       const char *list)
{
    const mfm_dataset_options *parts = &job->arguments.parts;
    printf("  onnx-mfm eval %s --data %s%s", output, data,
           job->arguments.fit   ? " --fit"
           : job->arguments.pad ? " --pad"
                                : "");
    if (parts->test_part > 0 || parts->list)
        printf(" --list %s", list);
    printf("%s\n", parts->on_bad == MFM_BAD_SKIP ? " --on-bad-image skip" : "");
}

static int print_files(const mfm_train_job *job)
{
    char *output = mfm_shell_word(job->ctx, job->arguments.output);
    char *data = mfm_shell_word(job->ctx, job->arguments.data);
    char *list = mfm_shell_word(job->ctx, job->folder.images);
    const int status = output && data && list ? MFM_OK : MFM_ENOMEM;
    printf("written:\n");
    printf("  %s: the plain model, for any ONNX runtime\n", mfm_output_name(job->arguments.output));
    if (job->weights)
        mfm_print(stdout, "  %s: its weights, which go where it goes\n", job->weights);
    if (job->training->counters.best_validation_epoch > 0)
        printf("  %s: the same of the epoch with the lowest validation error\n", job->folder.best);
    printf("  %s: options, metrics, checkpoint and report.html\n", job->folder.path);
    printf("next:\n");
    if (!status)
        print_eval(job, output, data, list);
    mfm_free(job->ctx, output);
    mfm_free(job->ctx, data);
    mfm_free(job->ctx, list);
    return status;
}

const mfm_train_results mfm_train_results_none = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

static double chance_error(const mfm_confusion *confusion)
{
    uint64_t most = 0;
    for (int c = 0; c < confusion->classes; c++) {
        const uint64_t images = mfm_confusion_class_images(confusion, c);
        most = images > most ? images : most;
    }
    return confusion->images
               ? 100.0 * (double)(confusion->images - most) / (double)confusion->images
               : NAN;
}

static void keep_results(mfm_train_job *job, const mfm_confusion *confusion)
{
    const mfm_counters *c = &job->training->counters;
    const mfm_split *split = job->split;
    double recall[MFM_CLASS_GROUPS];
    int classes, tested;
    for (int g = 0; g < MFM_CLASS_GROUPS; g++)
        recall[g] =
            mfm_class_group_recall(&mfm_class_borders_default, confusion, split->train_per_class,
                                   split->classes, (enum mfm_class_group)g, &classes, &tested);
    job->results = (mfm_train_results){.test_error = c->last_error,
                                       .many = recall[MFM_MANY],
                                       .medium = recall[MFM_MEDIUM],
                                       .few = recall[MFM_FEW],
                                       .chance_error = chance_error(confusion),
                                       .validation_error = c->last_validation_error,
                                       .best_validation_error = c->best_validation_error,
                                       .best_validation_test_error = c->best_validation_test_error};
}

/* Images that could not be read, in run.json and in what is printed. */
static int keep_left_out(mfm_train_job *job)
{
    const mfm_dataset *d = job->session.dataset;
    const uint32_t train = mfm_images_failed(&d->train), test = mfm_images_failed(&d->test);
    if (!mfm_train_job_has_files(job))
        return MFM_OK;
    if (train + test > 0)
        printf("images that could not be read: %u of %u for training, %u of %u for testing\n",
               train, d->train.count, test, d->test.count);
    json_t *run = json_loads(job->run_text, 0, NULL);
    const int bad =
        run ? json_object_set_new(run, "bad_images",
                                  json_pack("{s:i, s:i}", "train", (int)train, "test", (int)test))
            : -1;
    const int status = bad ? mfm_fail(job->ctx, MFM_ENOMEM, "run.json: out of memory")
                           : mfm_run_folder_describe(&job->folder, run);
    json_decref(run);
    return status;
}

int mfm_train_job_finish(mfm_train_job *job)
{
    mfm_confusion confusion = {.count = NULL};
    int status = write_plain(job, job->arguments.output);
    if (!status)
        status = evaluate_output(job, &confusion);
    if (!status)
        status = check_output(job, &confusion);
    if (!status) {
        keep_results(job, &confusion);
        print_errors(job);
        status = print_rarest(job, &confusion);
    }
    if (!status)
        status = keep_left_out(job);
    if (!status)
        status = mfm_run_report(job->ctx, &job->folder, &confusion, false);
    if (!status)
        status = print_files(job);
    mfm_confusion_clear(job->ctx, &confusion);
    return status;
}
