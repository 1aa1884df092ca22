#include "tools/report/run_list.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/words.h"

/* Whether it is the folder of a run by itself. */
static bool is_run(mfm_ctx *ctx, const char *path)
{
    char *file = mfm_format(ctx, "%s/run.json", path);
    const bool is = file && access(file, F_OK) == 0;
    mfm_free(ctx, file);
    return is;
}

/* Charts have the names of the first run's classes. */
static int check_classes(const mfm_run_list *l, const mfm_run_record *r)
{
    const mfm_run_record *first = &l->records[0];
    if (r->classes != first->classes)
        return mfm_fail(l->ctx, MFM_EINVAL,
                        "%s has %d classes, %s has %d: a page compares runs of the same classes",
                        r->path, r->classes, first->path, first->classes);
    for (int c = 0; c < r->classes; c++)
        if (strcmp(r->names[c], first->names[c]) != 0)
            return mfm_fail(l->ctx, MFM_EINVAL,
                            "class %d of %s is %s, of %s %s: a page compares runs of the same "
                            "classes",
                            c, r->path, r->names[c], first->path, first->names[c]);
    return MFM_OK;
}

/* Behind the method what is not usual, which tells apart runs of one: "base, ldam". */
static int tell_parts(mfm_run_record *r)
{
    static const struct {
        const char *option, *usual, *before;
    } parts[] = {{"loss", "cross-entropy", ""}, {"mix", "none", ""}, {"finish", "none", "then "}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *part = mfm_run_record_option(r, parts[i].option);
        if (strcmp(part, "-") == 0 || strcmp(part, parts[i].usual) == 0)
            continue;
        r->page.method = mfm_run_record_keep(
            r, mfm_format(r->ctx, "%s, %s%s", r->page.method, parts[i].before, part));
        if (!r->page.method)
            return MFM_ENOMEM;
    }
    return MFM_OK;
}

/* Whether both began with one model, or with models that differ in their weights alone. Of runs
 * that do not tell their architecture, any may be of one. */
static bool same_architecture(const mfm_run_record *a, const mfm_run_record *b)
{
    static const char *const keys[] = {"model", "architecture"};
    bool known = false;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *one = json_object_get(a->run, keys[i]);
        const json_t *two = json_object_get(b->run, keys[i]);
        if (one && two && json_equal(one, two))
            return true;
        known = one && two;
    }
    return !known;
}

/* A relative place is another one in another working folder: the hash tells. */
static bool same_test_images(const mfm_run_record *a, const mfm_run_record *b)
{
    const json_t *one = json_object_get(a->run, "test"), *two = json_object_get(b->run, "test");
    return !one || !two || json_equal(one, two);
}

/* Whether two runs were asked for the same but for their seeds and places. */
static bool asked_alike(const mfm_run_record *a, const mfm_run_record *b)
{
    static const char *const own[] = {"seed", "split-seed", "output"};
    json_t *one = json_copy(json_object_get(a->run, "options"));
    json_t *two = json_copy(json_object_get(b->run, "options"));
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        json_object_del(one, own[i]);
        json_object_del(two, own[i]);
    }
    const bool same = json_equal(one, two) && same_architecture(a, b) && same_test_images(a, b);
    json_decref(one);
    json_decref(two);
    return same;
}

static int read_one(mfm_run_list *l, const char *path, const mfm_class_borders *borders)
{
    if (l->count == MFM_PAGE_MOST_RUNS)
        return mfm_fail(l->ctx, MFM_EINVAL, "%s: one run too many: a page compares up to %d", path,
                        MFM_PAGE_MOST_RUNS);
    mfm_run_record *r = &l->records[l->count++];
    int status = mfm_run_record_read(l->ctx, path, borders, r);
    if (!status && r->page.note)
        mfm_warn(l->ctx, "%s/run.json: %s", r->path, r->page.note);
    if (!status)
        status = check_classes(l, r);
    if (!status)
        status = tell_parts(r);
    r->page.name = r->path;
    r->page.n_files = 0; /* their places are those of the folder */
    r->page.group = l->count - 1;
    for (int i = 0; i < l->count - 1 && !status; i++)
        if (asked_alike(&l->records[i], r)) {
            r->page.group = l->records[i].page.group;
            break;
        }
    return status;
}

static int by_number(const void *a, const void *b)
{
    const char *one = strrchr(*(char *const *)a, '-'), *two = strrchr(*(char *const *)b, '-');
    const long long x = atoll(one + 1), y = atoll(two + 1);
    return (x > y) - (x < y);
}

/* A path as a pattern that it alone matches. */
static char *pattern_of(mfm_ctx *ctx, const char *path, const char *more)
{
    char *pattern = mfm_alloc(ctx, 2 * strlen(path) + strlen(more) + 1, 1), *to = pattern;
    for (; *path && pattern; path++) {
        if (strchr("*?[\\", *path))
            *to++ = '\\';
        *to++ = *path;
    }
    if (pattern)
        strcpy(to, more);
    return pattern;
}

/* The runs seed-N of a folder. */
static int read_seeds(mfm_run_list *l, const char *path, const mfm_class_borders *borders)
{
    glob_t found = {.gl_pathc = 0};
    char *pattern = pattern_of(l->ctx, path, "/seed-*");
    int status = pattern ? MFM_OK : MFM_ENOMEM, runs = 0;
    if (!status && glob(pattern, 0, NULL, &found) == GLOB_NOSPACE)
        status = mfm_fail(l->ctx, MFM_ENOMEM, "%s: out of memory", path);
    if (!status && found.gl_pathc)
        qsort(found.gl_pathv, found.gl_pathc, sizeof found.gl_pathv[0], by_number);
    for (size_t i = 0; i < found.gl_pathc && !status; i++)
        if (is_run(l->ctx, found.gl_pathv[i])) {
            status = read_one(l, found.gl_pathv[i], borders);
            runs++;
        }
    globfree(&found);
    mfm_free(l->ctx, pattern);
    if (!status && runs == 0)
        status = mfm_fail(
            l->ctx, MFM_EIO,
            "%s: no run in this folder: it has no run.json, nor a folder seed-N that has one",
            path);
    return status;
}

/* How many bytes of all paths from their beginning, or to their end, are the same, whole folders.
 */
static size_t common_part(const mfm_run_list *l, bool end)
{
    const char *first = l->records[0].path;
    const size_t length = strlen(first);
    size_t common = length;
    for (int i = 1; i < l->count; i++) {
        const char *path = l->records[i].path;
        const size_t other = strlen(path);
        size_t same = 0;
        while (
            same < common && same < other &&
            (end ? first[length - 1 - same] == path[other - 1 - same] : first[same] == path[same]))
            same++;
        common = same;
    }
    while (common > 0 && first[end ? length - common : common - 1] != '/')
        common--;
    return common;
}

/* Runs are called what tells them apart: base and mfm of tables/base/seed-1, tables/mfm/seed-1. */
static int name_runs(mfm_run_list *l)
{
    const size_t front = l->count > 1 ? common_part(l, false) : 0;
    const size_t back = l->count > 1 ? common_part(l, true) : 0;
    for (int i = 0; i < l->count; i++) {
        mfm_run_record *r = &l->records[i];
        const size_t length = strlen(r->path);
        if (front + back >= length) /* the same run twice, or one within another */
            continue;
        r->page.name = mfm_run_record_keep(
            r, mfm_format(l->ctx, "%.*s", (int)(length - front - back), r->path + front));
        if (!r->page.name)
            return MFM_ENOMEM;
    }
    return MFM_OK;
}

/* The folder that a path tells: itself, or that of a record of runs. The caller frees *folder. */
static int folder_of_run(mfm_ctx *ctx, const char *path, char **folder)
{
    struct stat st;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *folder = NULL;
    if (stat(path, &st))
        return mfm_fail(ctx, MFM_EIO, "cannot read %s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        *folder = mfm_strdup(ctx, path);
    else if (strcmp(name, "run.json") != 0 && strcmp(name, "summary.json") != 0)
        return mfm_fail(ctx, MFM_EIO,
                        "%s: it is a file: expected a run folder, or the run.json in one", path);
    else
        *folder = slash ? mfm_format(ctx, "%.*s", slash > path ? (int)(slash - path) : 1, path)
                        : mfm_strdup(ctx, ".");
    return *folder ? MFM_OK : MFM_ENOMEM;
}

static int read_path(mfm_run_list *l, const char *path, const mfm_class_borders *borders)
{
    char *folder;
    int status = folder_of_run(l->ctx, path, &folder);
    if (!status)
        status =
            is_run(l->ctx, folder) ? read_one(l, folder, borders) : read_seeds(l, folder, borders);
    mfm_free(l->ctx, folder);
    return status;
}

int mfm_run_list_read(mfm_ctx *ctx, const mfm_strings *paths, const mfm_class_borders *borders,
                      mfm_run_list *l)
{
    *l = (mfm_run_list){.ctx = ctx};
    l->records = mfm_alloc(ctx, MFM_PAGE_MOST_RUNS, sizeof *l->records);
    l->evaluations = mfm_alloc(ctx, MFM_PAGE_MOST_RUNS, sizeof *l->evaluations);
    l->runs = mfm_alloc(ctx, MFM_PAGE_MOST_RUNS, sizeof *l->runs);
    int status = l->records && l->evaluations && l->runs ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < paths->count && !status; i++)
        status = read_path(l, paths->item[i], borders);
    return status ? status : name_runs(l);
}

int mfm_run_list_evaluate(mfm_run_list *l, const mfm_run_evaluation_options *options)
{
    for (int i = 0; i < l->count; i++) {
        mfm_run_record *r = &l->records[i];
        const int status = mfm_run_evaluate(r, options, &l->evaluations[i]);
        if (status == MFM_ENOMEM || status == MFM_EINTR)
            return status;
        if (!status)
            continue;
        mfm_warn(l->ctx, "%s was not evaluated: %s", r->path, mfm_message(l->ctx));
        const char *before = r->page.note;
        r->page.note = mfm_run_record_keep(r, mfm_format(l->ctx, "%s%sIt was not evaluated: %s.",
                                                         before ? before : "", before ? " " : "",
                                                         mfm_message(l->ctx)));
        if (!r->page.note)
            return MFM_ENOMEM;
    }
    return MFM_OK;
}

int mfm_run_list_page(const mfm_run_list *l, const mfm_class_borders *borders, mfm_page_text *text)
{
    const mfm_page_run *first = &l->records[0].page;
    char *title = l->count > 1 ? mfm_format(l->ctx, "%d training runs", l->count)
                               : mfm_format(l->ctx, "Training run %s", l->records[0].path);
    char *summary = l->count > 1
                        ? mfm_format(l->ctx, "%d classes", l->records[0].classes)
                        : mfm_format(l->ctx, "Method %s on %s, imbalance %s: %d %s", first->method,
                                     first->data, first->imbalance, first->epochs,
                                     mfm_plural((uint64_t)first->epochs, "epoch", "epochs"));
    for (int i = 0; i < l->count; i++)
        l->runs[i] = l->records[i].page;
    const mfm_page page = {.title = title,
                           .summary = summary,
                           .classes = l->records[0].classes,
                           .class_names = l->records[0].names,
                           .borders = *borders,
                           .runs = l->runs,
                           .n_runs = l->count};
    const int status = title && summary ? mfm_page_html(l->ctx, &page, text) : MFM_ENOMEM;
    mfm_free(l->ctx, title);
    mfm_free(l->ctx, summary);
    return status;
}

void mfm_run_list_clear(mfm_run_list *l)
{
    for (int i = 0; i < l->count; i++) {
        if (l->evaluations[i].ctx)
            mfm_run_evaluation_clear(&l->evaluations[i]);
        mfm_run_record_clear(&l->records[i]);
    }
    mfm_free(l->ctx, l->records);
    mfm_free(l->ctx, l->evaluations);
    mfm_free(l->ctx, l->runs);
}
