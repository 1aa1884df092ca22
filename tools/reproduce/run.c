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
#include <unistd.h>

#include "core/report/page/page.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/reproduce/plan.h"
#include "tools/show/printable.h"

/* A command line; texts are kept until the end. */
typedef struct words {
    mfm_ctx *ctx;
    char *item[MFM_MOST_WORDS + 1]; /* ended by NULL */
    int count, status;
} words;

static void take(words *w, char *word)
{
    if (!word || w->count == MFM_MOST_WORDS) {
        w->status = MFM_ENOMEM;
        mfm_free(w->ctx, word);
        return;
    }
    w->item[w->count++] = word;
}

static void add(words *w, const char *word)
{
    take(w, mfm_strdup(w->ctx, word));
}

static void add_number(words *w, const char *option, long long number)
{
    add(w, option);
    take(w, mfm_format(w->ctx, "%lld", number));
}

/* Words that are separated by blanks. */
static void add_all(words *w, const char *text)
{
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        const int length = (int)strcspn(text, " ");
        take(w, mfm_format(w->ctx, "%.*s", length, text));
        text += length;
    }
}

static void clear_words(words *w)
{
    for (int i = 0; i < w->count; i++)
        mfm_free(w->ctx, w->item[i]);
    *w = (words){.ctx = w->ctx};
}

/* This program with these words, what it prints going to a file; its exit code. */
static int carry_out(const words *w, const char *output, bool append)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int told = 0;
    if (w->status || posix_spawn_file_actions_init(&actions))
        return 4;
    const int how = O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, how, 0666);
    if (append)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    const int error = posix_spawn(&child, "/proc/self/exe", &actions, NULL, w->item, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (!error && waitpid(child, &told, 0) < 0 && errno == EINTR)
        continue;
    return error ? 4 : WIFEXITED(told) ? WEXITSTATUS(told) : 128 + WTERMSIG(told);
}

/* ---- the commands of a run ---- */

static const char *dataset_of(const mfm_paper_run *run)
{
    return run->row->data ? run->row->data : run->column->data;
}

static const char *specification_of(const mfm_reproduce *r, const mfm_paper_run *run)
{
    const char *data = dataset_of(run);
    return strcmp(data, "cifar10") == 0    ? r->cifar10
           : strcmp(data, "cifar100") == 0 ? r->cifar100
           : strcmp(data, "mit67") == 0    ? r->mit67
                                           : r->fashion;
}

static int classes_of(const mfm_paper_run *run)
{
    const char *data = dataset_of(run);
    return strcmp(data, "cifar100") == 0 ? 100 : strcmp(data, "mit67") == 0 ? 67 : 10;
}

/* An epoch of the table's run in one of `epochs` epochs. */
static int scaled(int epoch, int of, int epochs)
{
    return (int)lround((double)epoch * epochs / of);
}

/* Milestones at the same shares of the run; those that fall together, or at its ends, go. */
static char *milestones_of(const mfm_reproduce *r, const mfm_paper_row *row)
{
    const int epochs = mfm_reproduce_epochs(r, row);
    const int of = row->epochs ? row->epochs : r->table->epochs;
    const char *list = row->milestones ? row->milestones : r->table->milestones;
    char *text = mfm_strdup(r->ctx, "");
    int last = 0;
    for (const char *at = list; *at && text; at += *at == ',') {
        const int epoch = scaled(atoi(at), of, epochs);
        if (epoch > last && epoch < epochs) {
            char *longer = mfm_format(r->ctx, "%s%s%d", text, last ? "," : "", epoch);
            mfm_free(r->ctx, text);
            text = longer;
            last = epoch;
        }
        at += strcspn(at, ",");
    }
    if (text && last == 0) {
        mfm_free(r->ctx, text);
        text = mfm_strdup(r->ctx, "none");
    }
    return text;
}

static char *start_of(const mfm_reproduce *r, const mfm_paper_run *run)
{
    return mfm_format(r->ctx, "%s/models/%s-%d-seed-%llu.onnx", r->folder,
                      r->table->architecture ? r->table->architecture : "pretrained",
                      classes_of(run), (unsigned long long)run->seed);
}

static void write_start(const mfm_reproduce *r, const mfm_paper_run *run, const char *start,
                        words *w)
{
    const bool fresh = r->table->architecture != NULL;
    add_all(w, fresh ? "onnx-mfm new" : "onnx-mfm head");
    add(w, fresh ? r->table->architecture : r->pretrained);
    add(w, "-o");
    add(w, start);
    if (fresh) {
        add(w, "--input");
        add(w, r->table->input);
    } else {
        add(w, "--pool");
    }
    add_number(w, "--classes", classes_of(run));
    add_number(w, "--seed", (long long)run->seed);
}

static void write_train(const mfm_reproduce *r, const mfm_paper_run *run, const char *start,
                        words *w)
{
    const mfm_paper_row *row = run->row;
    const int epochs = mfm_reproduce_epochs(r, row);
    const int of = row->epochs ? row->epochs : r->table->epochs;
    add_all(w, "onnx-mfm train");
    add(w, start);
    add(w, "--data");
    add(w, specification_of(r, run));
    add_all(w, r->table->options);
    add_all(w, run->column->options);
    add_all(w, row->options);
    add_number(w, "--epochs", epochs);
    add(w, "--milestones");
    take(w, milestones_of(r, row));
    if (row->defer)
        add_number(w, "--defer-reweight", scaled(row->defer, of, epochs));
    if (row->from_row) {
        add(w, "--modulator");
        take(w,
             mfm_format(r->ctx, "%s/%s/%s/%s/seed-%llu/modulator.onnx", r->folder, r->table->name,
                        row->from_row, row->from_key, (unsigned long long)run->seed));
    }
    add_number(w, "--seed", (long long)run->seed);
    add_number(w, "--split-seed", (long long)run->seed);
}

static void write_place(const mfm_reproduce *r, const mfm_paper_run *run, words *w)
{
    add(w, "-o");
    take(w, mfm_format(r->ctx, "%s.onnx", run->place));
    add(w, "--run");
    add(w, run->place);
    if (r->threads)
        add_number(w, "--threads", r->threads);
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

/* In a process of its own, which ends with the exit code. */
static int work(const mfm_reproduce *r, const mfm_paper_run *run)
{
    words w = {.ctx = r->ctx};
    char *log = mfm_format(r->ctx, "%s.log", run->place), *start = start_of(r, run);
    int code = log && start ? 0 : 4;
    const bool goes_on = exists(r->ctx, run->place, "/checkpoint.onnx") ||
                         exists(r->ctx, run->place, "/checkpoint.previous.onnx");
    if (!code && !goes_on && access(start, F_OK) != 0) {
        write_start(r, run, start, &w);
        code = carry_out(&w, log, true);
        clear_words(&w);
    }
    if (!code) {
        if (goes_on)
            add_all(&w, "onnx-mfm train --resume");
        else
            write_train(r, run, start, &w);
        if (goes_on)
            add_number(&w, "--epochs", mfm_reproduce_epochs(r, run->row));
        write_place(r, run, &w);
        code = carry_out(&w, log, true);
    }
    clear_words(&w);
    mfm_free(r->ctx, log);
    mfm_free(r->ctx, start);
    return code;
}

/* ---- several at a time ---- */

typedef struct pool {
    const mfm_reproduce *r;
    mfm_plan_of_runs *plan;
    pid_t *worker; /* [count] of each run; 0: none */
    size_t done;
    int running;
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

static int begin(pool *p, size_t i)
{
    const int status = make_places(p->r, &p->plan->item[i]);
    if (status)
        return status;
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0)
        return mfm_fail(p->r->ctx, MFM_ENOMEM, "cannot start a process: %s", strerror(errno));
    if (child == 0)
        _exit(work(p->r, &p->plan->item[i]));
    p->worker[i] = child;
    p->running++;
    return MFM_OK;
}

/* Waits for one to end. */
static void end(pool *p)
{
    int told;
    const pid_t child = waitpid(-1, &told, 0);
    for (size_t i = 0; i < p->plan->count && child > 0; i++)
        if (p->worker[i] == child) {
            mfm_paper_run *run = &p->plan->item[i];
            p->worker[i] = 0;
            p->running--;
            run->failed = !is_finished(p->r, run);
            p->done++;
            if (!*mfm_interrupt_signal())
                tell(p, run);
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
    mfm_interrupt_catch("interrupted: the runs keep their checkpoints");
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
    if (!status && *mfm_interrupt_signal())
        status = mfm_fail(r->ctx, MFM_EINTR, "interrupted: the same command goes on");
    return status;
}

/* ---- afterwards ---- */

int mfm_reproduce_test(const mfm_reproduce *r, const mfm_paper_run *run, const char *prior,
                       double *error)
{
    words w = {.ctx = r->ctx};
    char *path = mfm_format(r->ctx, "%s.%s.json", run->place, prior), *text = NULL;
    size_t size;
    if (!path)
        return MFM_ENOMEM;
    add_all(&w, "onnx-mfm eval");
    take(&w, mfm_format(r->ctx, "%s.onnx", run->place));
    add_all(&w, "--json --data");
    add(&w, specification_of(r, run));
    add(&w, "--test-prior");
    add(&w, prior);
    int status = MFM_OK;
    if (carry_out(&w, path, false) != 0)
        status = mfm_fail(r->ctx, MFM_EDATA, "%s.onnx: it could not be evaluated on %s", run->place,
                          prior);
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
    clear_words(&w);
    return status;
}

/* A page compares runs of one dataset and one column. */
static bool is_on_page(const mfm_paper_run *run, const mfm_paper_run *first)
{
    return run->shown && !run->failed && strcmp(run->column->key, first->column->key) == 0 &&
           strcmp(dataset_of(run), dataset_of(first)) == 0;
}

/* Of the first `seeds` seeds. */
static int count_on_page(const mfm_reproduce *r, const mfm_plan_of_runs *plan,
                         const mfm_paper_run *first, int seeds, words *w)
{
    int runs = 0;
    for (size_t i = 0; i < plan->count; i++)
        for (int s = 0; s < seeds && is_on_page(&plan->item[i], first); s++)
            if (plan->item[i].seed == r->seeds[s]) {
                runs++;
                if (w)
                    add(w, plan->item[i].place);
            }
    return runs;
}

static void add_priors(const mfm_reproduce *r, const mfm_paper_run *first, words *w)
{
    for (int c = 0; c < r->table->n_columns; c++) {
        const mfm_paper_column *column = &r->table->columns[c];
        if (column->prior && strcmp(column->key, first->column->key) == 0) {
            add(w, "--test-prior");
            add(w, column->prior);
        }
    }
    if (r->prior) {
        add(w, "--test-prior");
        add(w, r->prior);
    }
}

static int write_page(const mfm_reproduce *r, const mfm_plan_of_runs *plan,
                      const mfm_paper_run *first, const char *page, const char *log)
{
    words w = {.ctx = r->ctx};
    int seeds = r->n_seeds;
    while (seeds > 1 && count_on_page(r, plan, first, seeds, NULL) > MFM_PAGE_MOST_RUNS)
        seeds--;
    add_all(&w, "onnx-mfm report");
    count_on_page(r, plan, first, seeds, &w);
    add_priors(r, first, &w);
    if (r->threads)
        add_number(&w, "--threads", r->threads);
    add(&w, "-o");
    add(&w, page);
    const int code = carry_out(&w, log, true);
    clear_words(&w);
    if (code)
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
