/* Trains what a plan has, several runs at a time, each by this program's own commands. A run that
 * was finished before stays; one that was interrupted goes on. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/report/page/page.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/reproduce/commands.h"
#include "tools/show/printable.h"

/* Starts this program with these words. What it says is added to a log, and so is what it prints
 * where there is no file for that. MFM_ENOMEM, MFM_EIO. */
static int launch(const mfm_words *w, const char *output, const char *log, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    if (w->status || !log)
        return MFM_ENOMEM;
    int error = posix_spawn_file_actions_init(&actions);
    if (!error) {
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
                                         O_WRONLY | O_CREAT | O_APPEND, 0666);
        if (output)
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output,
                                             O_WRONLY | O_CREAT | O_TRUNC, 0666);
        else
            posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        error = posix_spawn(child, "/proc/self/exe", &actions, NULL, w->item, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    return error ? mfm_fail(w->ctx, error == ENOMEM || error == EAGAIN ? MFM_ENOMEM : MFM_EIO,
                            "cannot start a process that writes %s: %s", log, strerror(error))
                 : MFM_OK;
}

/* Waits for it; whether it did what it was to do. */
static bool carry_out(const mfm_words *w, const char *output, const char *log)
{
    pid_t child;
    int told = 0;
    if (launch(w, output, log, &child))
        return false;
    while (waitpid(child, &told, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(told) && WEXITSTATUS(told) == 0;
}

static bool exists(mfm_ctx *ctx, const char *place, const char *more)
{
    char *path = mfm_format(ctx, "%s%s", place, more);
    const bool there = path && access(path, F_OK) == 0;
    mfm_free(ctx, path);
    return there;
}

/* Trained to its end, by what its folder tells. */
static bool is_finished(const mfm_reproduce *r, mfm_paper_run *run)
{
    int epoch;
    double error;
    if (!exists(r->ctx, run->place, ".onnx") || !mfm_paper_run_last(r->ctx, run, &epoch, &error) ||
        epoch != mfm_reproduce_epochs(r, run->row))
        return false;
    run->error = error;
    return true;
}

static bool goes_on(const mfm_reproduce *r, const mfm_paper_run *run)
{
    return exists(r->ctx, run->place, "/checkpoint.onnx") ||
           exists(r->ctx, run->place, "/checkpoint.previous.onnx");
}

/* The model that a fresh run starts from; runs of several rows have one in common. False when it
 * could not be made, which the run's log tells. */
static bool make_start(const mfm_reproduce *r, const mfm_paper_run *run)
{
    mfm_words w = {.ctx = r->ctx};
    char *log = mfm_format(r->ctx, "%s.log", run->place), *start = mfm_reproduce_start_path(r, run);
    bool made = log && start;
    if (made && !goes_on(r, run) && access(start, F_OK) != 0) {
        mfm_reproduce_write_start(r, run, start, &w);
        made = carry_out(&w, NULL, log);
    }
    mfm_words_clear(&w);
    mfm_free(r->ctx, log);
    mfm_free(r->ctx, start);
    return made;
}

/* In a process of its own. */
static int start_training(const mfm_reproduce *r, const mfm_paper_run *run, pid_t *child)
{
    mfm_words w = {.ctx = r->ctx};
    char *log = mfm_format(r->ctx, "%s.log", run->place), *model = mfm_reproduce_start_path(r, run);
    int status = model ? MFM_OK : MFM_ENOMEM;
    if (goes_on(r, run))
        mfm_words_add_all(&w, "onnx-mfm train --resume");
    else if (!status)
        mfm_reproduce_write_train(r, run, model, &w);
    mfm_words_add(&w, "-o");
    mfm_words_take(&w, mfm_format(r->ctx, "%s.onnx", run->place));
    mfm_words_add(&w, "--run");
    mfm_words_add(&w, run->place);
    if (r->threads)
        mfm_words_add_number(&w, "--threads", r->threads);
    if (!status)
        status = launch(&w, NULL, log, child);
    mfm_words_clear(&w);
    mfm_free(r->ctx, log);
    mfm_free(r->ctx, model);
    return status;
}

/* ---- several at a time ---- */

typedef struct pool {
    const mfm_reproduce *r;
    mfm_plan_of_runs *plan;
    pid_t *worker; /* [count] of each run; 0: none */
    size_t done;
    int running;
    bool passed_on; /* the signal that came, to each of them */
} pool;

static int make_places(const mfm_reproduce *r, const mfm_paper_run *run)
{
    char *models = mfm_format(r->ctx, "%s/models", r->folder);
    char *above =
        mfm_format(r->ctx, "%.*s", (int)(strrchr(run->place, '/') - run->place), run->place);
    int status = models && above ? mfm_make_folders(r->ctx, models) : MFM_ENOMEM;
    if (!status)
        status = mfm_make_folders(r->ctx, above);
    mfm_free(r->ctx, models);
    mfm_free(r->ctx, above);
    return status;
}

static void tell(const pool *p, const mfm_paper_run *run)
{
    fprintf(stderr, "%s %s, %s, seed %llu: ", p->r->table->name, run->row->name, run->column->key,
            (unsigned long long)run->seed);
    if (run->failed)
        fprintf(stderr, "failed, see %s.log", run->place);
    else
        fprintf(stderr, "%.2f %%", run->error);
    fprintf(stderr, " (%zu of %zu)\n", p->done, p->plan->count);
}

/* It has come to its end, or to nothing. */
static void close_run(pool *p, mfm_paper_run *run)
{
    run->failed = !is_finished(p->r, run);
    p->done++;
    if (!*mfm_interrupt_signal())
        tell(p, run);
}

static int begin(pool *p, size_t i)
{
    mfm_paper_run *run = &p->plan->item[i];
    pid_t child = 0;
    int status = make_places(p->r, run);
    if (status)
        return status;
    if (!make_start(p->r, run)) {
        close_run(p, run);
        return MFM_OK;
    }
    status = start_training(p->r, run, &child);
    if (status)
        return status;
    p->worker[i] = child;
    p->running++;
    return MFM_OK;
}

/* A signal may have come to this process alone, as by kill. */
static void pass_on(pool *p)
{
    for (size_t i = 0; i < p->plan->count && !p->passed_on; i++)
        if (p->worker[i])
            mfm_interrupt_pass_on(p->worker[i]);
    p->passed_on = true;
}

/* Waits for one to end. */
static void end(pool *p)
{
    static const struct timespec a_moment = {.tv_nsec = 20000000};
    int told;
    pid_t child;
    while ((child = waitpid(-1, &told, WNOHANG)) == 0) {
        if (*mfm_interrupt_signal())
            pass_on(p);
        nanosleep(&a_moment, NULL);
    }
    for (size_t i = 0; i < p->plan->count && child > 0; i++)
        if (p->worker[i] == child) {
            p->worker[i] = 0;
            p->running--;
            close_run(p, &p->plan->item[i]);
        }
}

/* Whether the modulator that the run takes is still being trained. */
static bool must_wait(const pool *p, const mfm_paper_run *run)
{
    for (size_t i = 0; i < p->plan->count && run->row->from_row; i++)
        if (p->worker[i] && strcmp(p->plan->item[i].row->name, run->row->from_row) == 0)
            return true;
    return false;
}

int mfm_reproduce_run(const mfm_reproduce *r, mfm_plan_of_runs *plan)
{
    pool p = {.r = r, .plan = plan};
    p.worker = mfm_alloc(r->ctx, plan->count, sizeof *p.worker);
    int status = p.worker ? MFM_OK : MFM_ENOMEM;
    mfm_interrupt_catch("stopping the runs after their steps");
    for (size_t i = 0; i < plan->count && !status && !*mfm_interrupt_signal(); i++) {
        if (is_finished(r, &plan->item[i])) {
            p.done++;
            continue;
        }
        while (p.running == r->jobs || (p.running && must_wait(&p, &plan->item[i])))
            end(&p);
        if (!*mfm_interrupt_signal())
            status = begin(&p, i);
    }
    while (p.running)
        end(&p);
    mfm_free(r->ctx, p.worker);
    mfm_interrupt_end("interrupted: the same command goes on"); /* what follows makes no run */
    if (!status && *mfm_interrupt_signal())
        status = mfm_fail(r->ctx, MFM_EINTR, "interrupted: the same command goes on");
    return status;
}

/* ---- afterwards ---- */

int mfm_reproduce_test(const mfm_reproduce *r, const mfm_paper_run *run, const char *prior,
                       double *error)
{
    mfm_words w = {.ctx = r->ctx};
    char *path = mfm_format(r->ctx, "%s.%s.json", run->place, prior), *text = NULL;
    char *log = mfm_format(r->ctx, "%s.log", run->place);
    size_t size;
    int status = path && log ? MFM_OK : MFM_ENOMEM;
    mfm_words_add_all(&w, "onnx-mfm eval");
    mfm_words_take(&w, mfm_format(r->ctx, "%s.onnx", run->place));
    mfm_words_add_all(&w, "--json --data");
    mfm_words_add(&w, mfm_reproduce_specification(r, run));
    mfm_words_add(&w, "--test-prior");
    mfm_words_add(&w, prior);
    if (!status && !carry_out(&w, path, log))
        status = mfm_fail(r->ctx, MFM_EDATA, "%s.onnx: it could not be evaluated on %s: see %s",
                          run->place, prior, log);
    if (!status)
        status = mfm_read_file(r->ctx, path, &text, &size);
    json_t *told = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *number = json_object_get(told, "error");
    if (!status && !json_is_number(number))
        status = mfm_fail(r->ctx, MFM_EDATA, "%s: no error in it", path);
    *error = status ? NAN : json_number_value(number);
    json_decref(told);
    mfm_free(r->ctx, text);
    mfm_free(r->ctx, path);
    mfm_free(r->ctx, log);
    mfm_words_clear(&w);
    return status;
}

/* A page compares runs of one dataset and one column. */
static bool is_on_page(const mfm_paper_run *run, const mfm_paper_run *first)
{
    return run->shown && !run->failed && strcmp(run->column->key, first->column->key) == 0 &&
           strcmp(mfm_reproduce_dataset(run), mfm_reproduce_dataset(first)) == 0;
}

/* Of the first `seeds` seeds. */
static int count_on_page(const mfm_reproduce *r, const mfm_plan_of_runs *plan,
                         const mfm_paper_run *first, int seeds, mfm_words *w)
{
    int runs = 0;
    for (size_t i = 0; i < plan->count; i++)
        for (int s = 0; s < seeds && is_on_page(&plan->item[i], first); s++)
            if (plan->item[i].seed == r->seeds[s]) {
                runs++;
                if (w)
                    mfm_words_add(w, plan->item[i].place);
            }
    return runs;
}

static void add_priors(const mfm_reproduce *r, const mfm_paper_run *first, mfm_words *w)
{
    for (int c = 0; c < r->table->n_columns; c++) {
        const mfm_paper_column *column = &r->table->columns[c];
        if (column->prior && strcmp(column->key, first->column->key) == 0) {
            mfm_words_add(w, "--test-prior");
            mfm_words_add(w, column->prior);
        }
    }
    if (r->prior) {
        mfm_words_add(w, "--test-prior");
        mfm_words_add(w, r->prior);
    }
}

static int write_page(const mfm_reproduce *r, const mfm_plan_of_runs *plan,
                      const mfm_paper_run *first, const char *page, const char *log)
{
    mfm_words w = {.ctx = r->ctx};
    int seeds = r->n_seeds;
    while (seeds > 1 && count_on_page(r, plan, first, seeds, NULL) > MFM_PAGE_MOST_RUNS)
        seeds--;
    mfm_words_add_all(&w, "onnx-mfm report");
    count_on_page(r, plan, first, seeds, &w);
    add_priors(r, first, &w);
    if (r->threads)
        mfm_words_add_number(&w, "--threads", r->threads);
    mfm_words_add(&w, "-o");
    mfm_words_add(&w, page);
    const bool written = carry_out(&w, NULL, log);
    mfm_words_clear(&w);
    if (!written)
        return mfm_fail(r->ctx, MFM_EDATA, "%s was not written: %s tells why", page, log);
    mfm_print(stderr, "wrote %s", page);
    if (seeds < r->n_seeds)
        mfm_print(stderr, " (%d of %d seeds: a page compares up to %d runs)", seeds, r->n_seeds,
                  MFM_PAGE_MOST_RUNS);
    mfm_print(stderr, "\n");
    return MFM_OK;
}

/* The first run of each page; NULL: one that stands on the page of an earlier one, or on none. */
static const mfm_paper_run *begins_page(const mfm_plan_of_runs *plan, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (is_on_page(&plan->item[k], &plan->item[i]))
            return NULL;
    return is_on_page(&plan->item[i], &plan->item[i]) ? &plan->item[i] : NULL;
}

static char *name_page(const mfm_reproduce *r, const mfm_paper_run *first, int pages)
{
    const char *data = first->row->data ? first->row->data : "";
    if (pages == 1)
        return mfm_format(r->ctx, "%s/%s.html", r->folder, r->target);
    return mfm_format(r->ctx, "%s/%s-%s%s%s.html", r->folder, r->target, data, *data ? "-" : "",
                      first->column->key);
}

int mfm_reproduce_report(const mfm_reproduce *r, const mfm_plan_of_runs *plan)
{
    char *log = mfm_format(r->ctx, "%s/%s/report.log", r->folder, r->table->name);
    int pages = 0, status = log ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < plan->count; i++)
        pages += begins_page(plan, i) != NULL;
    if (!status && pages == 0)
        status = mfm_fail(r->ctx, MFM_EDATA, "no run came to its end: there is nothing to report");
    for (size_t i = 0; i < plan->count && !status; i++) {
        const mfm_paper_run *first = begins_page(plan, i);
        char *page = first ? name_page(r, first, pages) : NULL;
        if (first)
            status = page ? write_page(r, plan, first, page, log) : MFM_ENOMEM;
        mfm_free(r->ctx, page);
    }
    mfm_free(r->ctx, log);
    return status;
}
