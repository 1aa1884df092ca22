#include "tools/report/report_files.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/report/tensorboard.h"
#include "tools/files.h"

static const char *const series_names[MFM_PAGE_SERIES] = {
    [MFM_PAGE_TRAIN_LOSS] = "train_loss",
    [MFM_PAGE_META_LOSS] = "meta_loss",
    [MFM_PAGE_VALIDATION_LOSS] = "validation_loss",
    [MFM_PAGE_TEST_LOSS] = "test_loss",
    [MFM_PAGE_TEST_ERROR] = "test_error",
    [MFM_PAGE_VALIDATION_ERROR] = "validation_error",
    [MFM_PAGE_LR] = "lr",
    [MFM_PAGE_MANY] = "many",
    [MFM_PAGE_MEDIUM] = "medium",
    [MFM_PAGE_FEW] = "few"};

/* ---- figures ---- */

/* rsvg-convert with these arguments, told or quiet. */
static bool run_converter(const char *const *arguments, bool quiet)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int told = -1;
    if (posix_spawn_file_actions_init(&actions))
        return false;
    if (quiet)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const int error =
        posix_spawnp(&child, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (!error && waitpid(child, &told, 0) < 0 && errno == EINTR)
        continue;
    return !error && WIFEXITED(told) && WEXITSTATUS(told) == 0;
}

static int convert(mfm_ctx *ctx, const char *svg)
{
    char *png = mfm_format(ctx, "%.*spng", (int)strlen(svg) - 3, svg);
    if (!png)
        return MFM_ENOMEM;
    const char *const arguments[] = {"rsvg-convert", "-z", "2", "-o", png, svg, NULL};
    const int status = run_converter(arguments, false)
                           ? MFM_OK
                           : mfm_fail(ctx, MFM_EIO, "cannot write %s: rsvg-convert failed", png);
    mfm_free(ctx, png);
    return status;
}

int mfm_report_check_png(mfm_ctx *ctx)
{
    static const char *const arguments[] = {"rsvg-convert", "--version", NULL};
    return run_converter(arguments, true) ? MFM_OK
                                          : mfm_fail(ctx, MFM_EINVAL,
                                                     "--png: rsvg-convert is not installed: "
                                                     "install librsvg2-bin, or leave out --png");
}

/* The name of a figure may be that of a layer: what is no plain character becomes '-'. */
static void make_plain(char *name)
{
    for (; *name; name++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *name))
            *name = '-';
}

static int write_figure(mfm_ctx *ctx, const mfm_page_text *text, const mfm_figure *f,
                        const char *folder, bool png)
{
    mfm_markup file;
    char *name =
        f->run < 0 ? mfm_strdup(ctx, f->name) : mfm_format(ctx, "%s-%d", f->name, f->run + 1);
    if (!name)
        return MFM_ENOMEM;
    make_plain(name);
    char *path = mfm_format(ctx, "%s/%s.svg", folder, name);
    mfm_free(ctx, name);
    mfm_markup_init(&file, ctx);
    mfm_svg_file(&file, text->markup.text, f);
    int status = path ? file.status : MFM_ENOMEM;
    if (!status)
        status = mfm_write_file(ctx, path, file.text, file.length);
    if (!status && png)
        status = convert(ctx, path);
    mfm_markup_clear(&file);
    mfm_free(ctx, path);
    return status;
}

int mfm_report_figures(mfm_ctx *ctx, const mfm_page_text *text, const char *folder, bool png,
                       int *written)
{
    int status = mfm_make_folders(ctx, folder);
    for (*written = 0; *written < text->n_figures && !status; ++*written)
        status = write_figure(ctx, text, &text->figures[*written], folder, png);
    return status;
}

/* ---- metrics ---- */

/* RFC 4180: in quotes, those within doubled. */
static void add_quoted(mfm_markup *m, const char *text)
{
    mfm_markup_add(m, "\"");
    for (; *text; text++)
        mfm_markup_add(m, *text == '"' ? "\"\"" : "%c", *text);
    mfm_markup_add(m, "\"");
}

static void add_number(mfm_markup *m, double number)
{
    if (isfinite(number))
        mfm_markup_add(m, ",%.9g", number);
    else
        mfm_markup_add(m, ",");
}

static double recall_of(const mfm_run_record *r, int epoch, int class_number)
{
    const json_t *line = json_array_get(r->lines, (size_t)epoch);
    const json_t *value = json_array_get(json_object_get(line, "recall"), (size_t)class_number);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void add_epoch(mfm_markup *m, const mfm_run_record *r, int epoch)
{
    add_quoted(m, r->path);
    add_number(m, r->page.epoch[epoch]);
    for (int k = 0; k < MFM_PAGE_SERIES; k++)
        add_number(m, r->page.series[k] ? r->page.series[k][epoch] : NAN);
    add_number(
        m, json_number_value(json_object_get(json_array_get(r->lines, (size_t)epoch), "seconds")));
    for (int c = 0; c < r->classes; c++)
        add_number(m, recall_of(r, epoch, c));
    mfm_markup_add(m, "\n");
}

int mfm_report_csv(const mfm_run_list *l, const char *path)
{
    mfm_markup m;
    mfm_markup_init(&m, l->ctx);
    mfm_markup_add(&m, "run,epoch");
    for (int k = 0; k < MFM_PAGE_SERIES; k++)
        mfm_markup_add(&m, ",%s", series_names[k]);
    mfm_markup_add(&m, ",seconds");
    for (int c = 0; c < l->records[0].classes; c++) {
        mfm_markup_add(&m, ",");
        char *name = mfm_format(l->ctx, "recall %s", l->records[0].names[c]);
        add_quoted(&m, name ? name : "");
        mfm_free(l->ctx, name);
    }
    mfm_markup_add(&m, "\n");
    for (int i = 0; i < l->count; i++)
        for (int e = 0; e < l->records[i].page.epochs; e++)
            add_epoch(&m, &l->records[i], e);
    const int status = m.status ? m.status : mfm_write_output(l->ctx, path, m.text, m.length);
    mfm_markup_clear(&m);
    return status;
}

/* ---- events ---- */

/* When the metrics were written last, which is when the last epoch ended. */
static double time_of(const mfm_run_record *r)
{
    struct stat there;
    char *path = mfm_format(r->ctx, "%s/metrics.jsonl", r->path);
    const bool known = path && stat(path, &there) == 0;
    mfm_free(r->ctx, path);
    return known ? (double)there.st_mtim.tv_sec : 0;
}

static double seconds_at(const mfm_run_record *r, int epoch)
{
    return json_number_value(json_object_get(json_array_get(r->lines, (size_t)epoch), "seconds"));
}

static void add_recalls(const mfm_run_record *r, int epoch, int64_t step, double time,
                        mfm_events *events)
{
    for (int c = 0; c < r->classes; c++) {
        const double recall = recall_of(r, epoch, c);
        char *tag = isfinite(recall) ? mfm_format(r->ctx, "recall/%s", r->names[c]) : NULL;
        if (tag)
            mfm_events_scalar(events, tag, step, recall, time);
        else if (isfinite(recall))
            events->status = MFM_ENOMEM;
        mfm_free(r->ctx, tag);
    }
}

static void add_events(const mfm_run_record *r, double end, mfm_events *events)
{
    const double last = r->page.epochs ? seconds_at(r, r->page.epochs - 1) : 0;
    mfm_events_init(events, r->ctx, end - last);
    for (int e = 0; e < r->page.epochs; e++) {
        const double time = end - last + seconds_at(r, e);
        const int64_t step = (int64_t)r->page.epoch[e];
        for (int k = 0; k < MFM_PAGE_SERIES; k++)
            if (r->page.series[k] && isfinite(r->page.series[k][e]))
                mfm_events_scalar(events, series_names[k], step, r->page.series[k][e], time);
        add_recalls(r, e, step, time, events);
    }
}

/* A run's path in plain characters; the caller frees it. */
static char *plain_path(const mfm_run_record *r)
{
    char *name = mfm_strdup(r->ctx, r->path + strspn(r->path, "/."));
    if (name)
        make_plain(name);
    return name;
}

/* The same, told apart from earlier runs that come to it: a/b and a-b. "~" is no plain character.
 */
static char *name_events(const mfm_run_list *l, int run)
{
    char *name = plain_path(&l->records[run]), *numbered = NULL;
    int number = 1;
    for (int i = 0; i < run && name; i++) {
        char *other = plain_path(&l->records[i]);
        number += other && strcmp(other, name) == 0;
        mfm_free(l->ctx, other);
    }
    if (name && number > 1) {
        numbered = mfm_format(l->ctx, "%s~%d", name, number);
        mfm_free(l->ctx, name);
    }
    return number > 1 ? numbered : name;
}

static int write_events(const mfm_run_list *l, int run, const char *folder)
{
    mfm_events events;
    const mfm_run_record *r = &l->records[run];
    char *name = name_events(l, run);
    char *place = name ? mfm_format(r->ctx, "%s/%s", folder, name) : NULL;
    char *path = place ? mfm_format(r->ctx, "%s/events.out.tfevents.onnx-mfm", place) : NULL;
    add_events(r, time_of(r), &events);
    int status = path ? events.status : MFM_ENOMEM;
    if (!status)
        status = mfm_make_folders(r->ctx, place);
    if (!status)
        status = mfm_write_file(r->ctx, path, events.bytes, events.size);
    mfm_events_clear(&events);
    mfm_free(r->ctx, name);
    mfm_free(r->ctx, place);
    mfm_free(r->ctx, path);
    return status;
}

int mfm_report_tensorboard(const mfm_run_list *l, const char *folder)
{
    int status = MFM_OK;
    for (int i = 0; i < l->count && !status; i++)
        status = write_events(l, i, folder);
    return status;
}
