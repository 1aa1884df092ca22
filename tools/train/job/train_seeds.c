#include "tools/train/job/train_seeds.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/commands/command.h"
#include "tools/files.h"
#include "tools/show/print_json.h"

enum { MOST_SEEDS = 1000, SEED_TEXT = 24 };

typedef struct seed_run {
    uint64_t seed;
    char *output, *run; /* paths */
    bool begun;         /* before this command */
    mfm_train_results results;
    char *diverged; /* why; NULL: it did not */
} seed_run;

typedef struct seed_runs {
    mfm_ctx *ctx;
    mfm_ranks *ranks;
    char *folder, *like; /* like: run.json of the first run that has begun; NULL: none has */
    size_t count;
    seed_run *runs; /* [count] */
} seed_runs;

/* ---- the list ---- */

static int bad_list(mfm_ctx *ctx, const char *text)
{
    return mfm_fail(ctx, MFM_EUSAGE,
                    "--seeds: %.80s: expected up to %d different seeds such as 1-5 or 1,3,7", text,
                    MOST_SEEDS);
}

static int add_seed(seed_runs *all, const char *text, uint64_t seed)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->runs[i].seed == seed)
            return bad_list(all->ctx, text);
    if (all->count == MOST_SEEDS)
        return bad_list(all->ctx, text);
    all->runs[all->count++].seed = seed;
    return MFM_OK;
}

/* A number up to the end or one of the marks; false when there is none. */
static bool read_seed(const char **at, uint64_t *seed)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    const unsigned long long number = strtoull(*at, &end, 10);
    *seed = number;
    *at = end;
    return !errno && number <= INT64_MAX;
}

static int read_list(seed_runs *all, const char *text)
{
    all->runs = mfm_alloc(all->ctx, MOST_SEEDS, sizeof *all->runs);
    if (!all->runs)
        return MFM_ENOMEM;
    for (const char *at = text;; at++) {
        uint64_t first, last;
        if (!read_seed(&at, &first))
            return bad_list(all->ctx, text);
        last = first;
        if (*at == '-' && (at++, !read_seed(&at, &last)))
            return bad_list(all->ctx, text);
        if (last < first || last - first >= MOST_SEEDS || (*at && *at != ','))
            return bad_list(all->ctx, text);
        for (uint64_t seed = first; seed <= last; seed++) {
            const int status = add_seed(all, text, seed);
            if (status)
                return status;
        }
        if (!*at)
            return MFM_OK;
    }
}

/* ---- places ---- */

static bool has_checkpoint(mfm_ctx *ctx, const char *run)
{
    static const char *const names[] = {"checkpoint.onnx", MFM_RUN_PREVIOUS};
    bool there = false;
    for (int i = 0; i < 2; i++) {
        char *path = mfm_format(ctx, "%s/%s", run, names[i]);
        there |= path && access(path, F_OK) == 0;
        mfm_free(ctx, path);
    }
    return there;
}

static int place(seed_runs *all, const char *output, size_t stem, bool resume)
{
    for (size_t i = 0; i < all->count; i++) {
        seed_run *r = &all->runs[i];
        const unsigned long long seed = r->seed;
        r->output = mfm_format(all->ctx, "%.*s-seed-%llu.onnx", (int)stem, output, seed);
        r->run = mfm_format(all->ctx, "%s/seed-%llu", all->folder, seed);
        if (!r->output || !r->run)
            return MFM_ENOMEM;
        r->begun = has_checkpoint(all->ctx, r->run);
        if (r->begun && !all->like)
            all->like = mfm_format(all->ctx, "%s/run.json", r->run);
        if (r->begun && !all->like)
            return MFM_ENOMEM;
        if (r->begun && !resume)
            return mfm_fail(all->ctx, MFM_EINVAL,
                            "run folder %s: not empty: --resume goes on with all runs of --seeds, "
                            "--run DIR takes another",
                            r->run);
    }
    return MFM_OK;
}

static int make_places(seed_runs *all, const mfm_train_arguments *asked)
{
    const char *output = asked->output;
    const size_t length = strlen(output);
    const bool ends = length > 5 && strcmp(output + length - 5, ".onnx") == 0;
    const size_t stem = ends ? length - 5 : length;
    all->folder = asked->run ? mfm_strdup(all->ctx, asked->run)
                             : mfm_format(all->ctx, "%.*s.run", (int)stem, output);
    if (!all->folder)
        return MFM_ENOMEM;
    for (size_t end = strlen(all->folder); end > 1 && all->folder[end - 1] == '/';)
        all->folder[--end] = '\0';
    return place(all, output, stem, asked->resume);
}

/* ---- figures ---- */

typedef struct figure {
    const char *key, *name;
    size_t offset; /* of a double in mfm_train_results */
} figure;

#define FIGURE(field, text)                                                                        \
    {                                                                                              \
#field, text, offsetof(mfm_train_results, field)                                           \
    }
static const figure figures[] = {
    FIGURE(test_error, "test error, last epoch"),
    FIGURE(many, "recall of classes with many images"),
    FIGURE(medium, "recall of classes with medium"),
    FIGURE(few, "recall of classes with few"),
    FIGURE(validation_error, "validation error, last epoch"),
    FIGURE(best_validation_error, "validation error, lowest"),
    FIGURE(best_validation_test_error, "test error of that epoch"),
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

static double figure_of(const seed_run *r, const figure *f)
{
    return *(const double *)(const void *)((const char *)&r->results + f->offset);
}

/* Over the runs that did not diverge and have the figure; the deviation is that of a sample (n -
 * 1), NAN for one run. Returns their number. */
static size_t measure(const seed_runs *all, const figure *f, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        n = 0;
        for (size_t i = 0; i < all->count; i++) {
            const double number = figure_of(&all->runs[i], f);
            if (all->runs[i].diverged || isnan(number))
                continue;
            n++;
            if (pass == 0)
                sum += number;
            else
                squares += (number - *mean) * (number - *mean);
        }
        *mean = n ? sum / (double)n : NAN;
    }
    *deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
    return n;
}

static json_t *run_to_json(const seed_run *r)
{
    json_t *object = json_pack("{s:I, s:o, s:o, s:o}", "seed", (json_int_t)r->seed, "run",
                               mfm_json_text(r->run), "output", mfm_json_text(r->output),
                               "diverged", r->diverged ? mfm_json_text(r->diverged) : json_null());
    for (int i = 0; i < FIGURES; i++)
        json_object_set_new(object, figures[i].key, mfm_json_number(figure_of(r, &figures[i])));
    return object;
}

static json_t *summary_json(const seed_runs *all)
{
    json_t *runs = json_array(), *mean = json_object(), *deviation = json_object();
    int diverged = 0;
    for (size_t i = 0; i < all->count; i++) {
        json_array_append_new(runs, run_to_json(&all->runs[i]));
        diverged += all->runs[i].diverged != NULL;
    }
    for (int i = 0; i < FIGURES; i++) {
        double m, d;
        measure(all, &figures[i], &m, &d);
        json_object_set_new(mean, figures[i].key, mfm_json_number(m));
        json_object_set_new(deviation, figures[i].key, mfm_json_number(d));
    }
    return json_pack("{s:i, s:i, s:o, s:o, s:o}", "seeds", (int)all->count, "diverged", diverged,
                     "mean", mean, "deviation", deviation, "runs", runs);
}

static int write_summary(const seed_runs *all)
{
    json_t *root = summary_json(all);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    char *path = mfm_format(all->ctx, "%s/summary.json", all->folder);
    int status = path ? MFM_OK : MFM_ENOMEM;
    if (!status)
        status = text ? mfm_write_file(all->ctx, path, text, strlen(text))
                      : mfm_fail(all->ctx, MFM_ENOMEM, "summary.json: out of memory");
    free(text);
    mfm_free(all->ctx, path);
    json_decref(root);
    return status;
}

static int print_summary(const seed_runs *all)
{
    size_t good = 0;
    for (size_t i = 0; i < all->count; i++)
        good += !all->runs[i].diverged;
    printf("%zu seeds, %zu diverged", all->count, all->count - good);
    for (size_t i = 0, told = 0; i < all->count; i++)
        if (all->runs[i].diverged)
            printf("%s%llu", told++ ? ", " : ": seed ", (unsigned long long)all->runs[i].seed);
    printf("\nmean and standard deviation over %s %zu:\n", good < all->count ? "the other" : "all",
           good);
    for (int i = 0; i < FIGURES; i++) {
        double mean, deviation;
        if (measure(all, &figures[i], &mean, &deviation) == 0)
            continue;
        printf("  %-36s %6.2f %%", figures[i].name, mean);
        if (isnan(deviation))
            printf("\n");
        else
            printf(" +- %.2f\n", deviation);
    }
    printf("wrote %s/summary.json\n", all->folder);
    return good ? MFM_OK
                : mfm_fail(all->ctx, MFM_ENAN, "all %zu runs diverged: lower the learning rates",
                           all->count);
}

static int tell_summary(const seed_runs *all)
{
    const int status = write_summary(all);
    return status ? status : print_summary(all);
}

/* ---- the runs ---- */

static int note_divergence(seed_runs *all, seed_run *r, int status)
{
    if (status == MFM_ENAN)
        r->diverged = mfm_strdup(all->ctx, mfm_message(all->ctx));
    else if (r->results.test_error >= r->results.chance_error)
        r->diverged = mfm_format(all->ctx, "error %.2f %%: no better than one class for all images",
                                 r->results.test_error);
    else
        return MFM_OK;
    if (!r->diverged)
        return MFM_ENOMEM;
    mfm_warn(all->ctx, "seed %llu diverged: %s", (unsigned long long)r->seed, r->diverged);
    return MFM_OK;
}

static int interrupted(seed_runs *all)
{
    char *text = mfm_strdup(all->ctx, mfm_message(all->ctx));
    if (!text)
        return MFM_ENOMEM;
    mfm_fail(all->ctx, MFM_EINTR, "%s; for all seeds: this command again, with --resume", text);
    mfm_free(all->ctx, text);
    return MFM_EINTR;
}

static int run_all(seed_runs *all, int argc, const char **argv, mfm_train_one_fn *train_one)
{
    for (size_t i = 0; i < all->count; i++) {
        seed_run *r = &all->runs[i];
        const mfm_train_place place = {r->seed, r->output, r->run, r->begun,
                                       r->begun ? NULL : all->like};
        printf("seed %llu\n", (unsigned long long)r->seed);
        fflush(stdout);
        r->results = mfm_train_results_none;
        int status = train_one(all->ranks, argc, argv, &place, &r->results);
        if (!status || status == MFM_ENAN)
            status = note_divergence(all, r, status);
        if (status)
            return status == MFM_EINTR ? interrupted(all) : status;
    }
    return MFM_OK;
}

static int check(mfm_ctx *ctx, const mfm_train_arguments *asked, bool seed_given)
{
    if (seed_given)
        return mfm_fail(ctx, MFM_EUSAGE, "--seed beside --seeds: give one of them");
    if (!asked->output)
        return mfm_fail(ctx, MFM_EUSAGE,
                        "missing required option -o FILE: --seeds names each model after it");
    if (!mfm_is_regular_output(asked->output))
        return mfm_fail(ctx, MFM_EUSAGE, "--seeds: -o %s: a file is needed: one for each seed",
                        asked->output);
    return MFM_OK;
}

static void clear(seed_runs *all)
{
    for (size_t i = 0; i < all->count; i++) {
        mfm_free(all->ctx, all->runs[i].output);
        mfm_free(all->ctx, all->runs[i].run);
        mfm_free(all->ctx, all->runs[i].diverged);
    }
    mfm_free(all->ctx, all->runs);
    mfm_free(all->ctx, all->like);
    mfm_free(all->ctx, all->folder);
}

int mfm_train_seeds(mfm_ranks *ranks, int argc, const char **argv, const mfm_train_arguments *asked,
                    bool seed_given, mfm_train_one_fn *train_one)
{
    mfm_ctx *ctx = ranks->ctx;
    const bool leads = mfm_ranks_lead(ranks);
    seed_runs all = {.ctx = ctx, .ranks = ranks};
    int status = check(ctx, asked, seed_given);
    if (!status)
        status = read_list(&all, asked->seeds);
    if (!status)
        status = make_places(&all, asked);
    status = mfm_ranks_agree(ranks, status); /* all have looked, before anything is made */
    if (!status && leads && mkdir(all.folder, 0777) && errno != EEXIST)
        status = mfm_fail_errno(ctx, errno, "make the folder of the runs", all.folder);
    if (!status) {
        status = run_all(&all, argc, argv, train_one);
        if (leads)
            rmdir(all.folder); /* which only an empty folder lets happen: nothing was begun */
        if (!status)
            status = mfm_ranks_agree(ranks, leads ? tell_summary(&all) : MFM_OK);
    }
    clear(&all);
    return status;
}
