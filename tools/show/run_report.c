#include "tools/show/run_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/report/page.h"
#include "tools/files.h"

enum { FIGURES = 8, FILES = 6, SERIES = 5 };

/* A page, and what its texts and numbers lie in. */
typedef struct report {
    mfm_ctx *ctx;
    const mfm_run_folder *folder;
    json_t *run, *lines; /* run.json; the metrics as a list of objects */
    mfm_page page;
    char *title, *summary;
    const char **names; /* [classes], borrowed from run */
    double *per_class;  /* [3, classes]: training images, meta images, recall */
    double *per_epoch;  /* [SERIES, epochs]: number, training, meta loss, test, validation error */
    mfm_page_row *options; /* names borrowed from run */
    char **texts;          /* of the options and figures */
    size_t n_texts, texts_capacity;
    mfm_page_row figures[FIGURES], files[FILES];
} report;

/* ---- texts ---- */

/* Takes the text over; NULL when memory ran out, now or in making it. */
static const char *keep(report *r, char *text)
{
    if (text && mfm_grow(r->ctx, &r->texts, r->n_texts, &r->texts_capacity, sizeof *r->texts)) {
        mfm_free(r->ctx, text);
        return NULL;
    }
    if (text)
        r->texts[r->n_texts++] = text;
    return text;
}

static char *value_text(mfm_ctx *ctx, const json_t *value);

static char *list_text(mfm_ctx *ctx, const json_t *list)
{
    char *text = mfm_strdup(ctx, "");
    for (size_t i = 0; i < json_array_size(list) && text; i++) {
        char *item = value_text(ctx, json_array_get(list, i));
        char *longer = item ? mfm_format(ctx, "%s%s%s", text, i ? ", " : "", item) : NULL;
        mfm_free(ctx, item);
        mfm_free(ctx, text);
        text = longer;
    }
    return text;
}

/* What was asked for, as a reader expects it: no quotes, lists by commas. */
static char *value_text(mfm_ctx *ctx, const json_t *value)
{
    const json_t *inexact = json_object_get(value, "text"); /* mfm_json_exact */
    if (json_is_string(value) || json_is_string(inexact))
        return mfm_strdup(ctx, json_string_value(inexact ? inexact : value));
    if (json_is_integer(value))
        return mfm_format(ctx, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return mfm_format(ctx, "%.10g", json_real_value(value));
    if (json_is_array(value) && json_array_size(value))
        return list_text(ctx, value);
    return mfm_strdup(ctx, json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
}

/* ---- run.json ---- */

static int damaged(const report *r, const char *what, const char *rule)
{
    return mfm_fail(r->ctx, MFM_EDATA, "cannot read %s: %s: %s", r->folder->run, what, rule);
}

static int read_run(report *r)
{
    char *text;
    size_t size;
    json_error_t error;
    const int status = mfm_read_file(r->ctx, r->folder->run, &text, &size);
    if (status)
        return status;
    r->run = json_loadb(text, size, 0, &error);
    mfm_free(r->ctx, text);
    return r->run ? MFM_OK : damaged(r, error.text, "expected JSON");
}

static int read_class(report *r, int c)
{
    const json_t *class = json_array_get(json_object_get(r->run, "classes"), (size_t)c);
    r->names[c] = json_string_value(json_object_get(class, "name"));
    const json_int_t train = json_integer_value(json_object_get(class, "train"));
    const json_int_t meta = json_integer_value(json_object_get(class, "meta"));
    r->per_class[c] = (double)train;
    r->per_class[r->page.classes + c] = (double)meta;
    return r->names[c] && train >= 0 && meta >= 0
               ? MFM_OK
               : damaged(r, "classes", "each has a name and counts of images");
}

static int read_classes(report *r)
{
    const size_t count = json_array_size(json_object_get(r->run, "classes"));
    if (count < 1 || count > INT32_MAX / 4)
        return damaged(r, "classes", "expected a list of them");
    r->page.classes = (int)count;
    r->names = mfm_alloc(r->ctx, count, sizeof *r->names);
    r->per_class = mfm_alloc(r->ctx, 3 * count, sizeof *r->per_class);
    int status = r->names && r->per_class ? MFM_OK : MFM_ENOMEM;
    for (int c = 0; c < r->page.classes && !status; c++)
        status = read_class(r, c);
    r->page.class_names = r->names;
    r->page.train = r->per_class;
    r->page.meta = r->per_class + count;
    return status;
}

static int read_options(report *r)
{
    json_t *options = json_object_get(r->run, "options");
    const char *key;
    json_t *value;
    r->options = mfm_alloc(r->ctx, json_object_size(options), sizeof *r->options);
    if (!r->options)
        return MFM_ENOMEM;
    r->page.options = r->options;
    json_object_foreach(options, key, value)
    {
        const char *text = keep(r, value_text(r->ctx, value));
        if (!text)
            return MFM_ENOMEM;
        r->options[r->page.n_options++] = (mfm_page_row){key, text};
    }
    return MFM_OK;
}

/* ---- metrics.jsonl ---- */

static int read_line(report *r, const char *line, size_t length)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_int_t epoch = json_integer_value(json_object_get(object, "epoch"));
    if (epoch >= 1 && epoch <= UINT32_MAX)
        return json_array_append_new(r->lines, object)
                   ? mfm_fail(r->ctx, MFM_ENOMEM, "metrics: out of memory")
                   : MFM_OK;
    json_decref(object);
    return mfm_fail(r->ctx, MFM_EDATA, "cannot read %s: line %zu: expected an object with an epoch",
                    r->folder->metrics, json_array_size(r->lines) + 1);
}

static int read_lines(report *r)
{
    char *text;
    size_t size;
    int status = mfm_read_file(r->ctx, r->folder->metrics, &text, &size);
    r->lines = json_array();
    if (!status && !r->lines)
        status = mfm_fail(r->ctx, MFM_ENOMEM, "metrics: out of memory");
    for (const char *at = text; !status && *at;) {
        const size_t length = strcspn(at, "\n");
        status = read_line(r, at, length);
        at += length + (at[length] == '\n');
    }
    mfm_free(r->ctx, text);
    return status;
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool any_known(const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isnan(numbers[i]))
            return true;
    return false;
}

/* Epochs that do not ascend have no place on an axis. */
static int read_epochs(report *r)
{
    static const char *const keys[SERIES] = {"epoch", "train_loss", "meta_loss", "test_error",
                                             "validation_error"};
    const size_t count = json_array_size(r->lines);
    r->per_epoch = mfm_alloc(r->ctx, SERIES * count, sizeof *r->per_epoch);
    if (!r->per_epoch)
        return MFM_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < SERIES; k++)
            r->per_epoch[k * count + i] = number_of(json_array_get(r->lines, i), keys[k]);
        if (i && r->per_epoch[i] <= r->per_epoch[i - 1])
            return mfm_fail(r->ctx, MFM_EDATA,
                            "cannot read %s: line %zu: its epoch must be a later one",
                            r->folder->metrics, i + 1);
    }
    const double *meta = r->per_epoch + 2 * count, *validation = r->per_epoch + 4 * count;
    r->page.epochs = (int)count;
    r->page.epoch = r->per_epoch;
    r->page.train_loss = r->per_epoch + count;
    r->page.meta_loss = any_known(meta, count) ? meta : NULL;
    r->page.test_error = r->per_epoch + 3 * count;
    r->page.validation_error = any_known(validation, count) ? validation : NULL;
    return MFM_OK;
}

static void read_recall(report *r)
{
    if (r->page.epochs < 1)
        return;
    const json_t *last = json_array_get(r->lines, (size_t)r->page.epochs - 1);
    const json_t *list = json_object_get(last, "recall");
    double *recall = r->per_class + 2 * r->page.classes;
    for (int c = 0; c < r->page.classes; c++) {
        const json_t *value = json_array_get(list, (size_t)c);
        recall[c] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    r->page.recall = recall;
}

/* ---- the page ---- */

static const char *option_of(const report *r, const char *name)
{
    for (int i = 0; i < r->page.n_options; i++)
        if (strcmp(r->options[i].name, name) == 0)
            return r->options[i].text;
    return "-";
}

static int add_titles(report *r)
{
    const char *model = json_string_value(json_object_get(r->run, "model_file"));
    r->title = mfm_format(r->ctx, "Training of %s", model ? model : "a model");
    r->summary = mfm_format(r->ctx, "Method %s on %s, imbalance %s: %d of %s epochs finished",
                            option_of(r, "method"), option_of(r, "data"), option_of(r, "imbalance"),
                            r->page.epochs, option_of(r, "epochs"));
    r->page.title = r->title;
    r->page.summary = r->summary;
    return r->title && r->summary ? MFM_OK : MFM_ENOMEM;
}

static int add_figure(report *r, const char *name, char *text)
{
    const char *kept = keep(r, text);
    if (kept)
        r->figures[r->page.n_figures++] = (mfm_page_row){name, kept};
    return kept ? MFM_OK : MFM_ENOMEM;
}

static char *error_text(const report *r, int index)
{
    if (index < 0 || isnan(r->page.test_error[index]))
        return mfm_strdup(r->ctx, "-");
    return mfm_format(r->ctx, "%.2f %% (epoch %.10g)", r->page.test_error[index],
                      r->page.epoch[index]);
}

/* "22.10 % (epoch 3; test error 24.00 %)". */
static char *validation_text(const report *r)
{
    const mfm_page *p = &r->page;
    const int lowest = mfm_page_lowest(p, p->validation_error);
    return mfm_format(r->ctx, "%.2f %% (epoch %.10g; test error %.2f %%)",
                      p->validation_error[lowest], p->epoch[lowest], p->test_error[lowest]);
}

static char *time_text(const report *r)
{
    const int last = r->page.epochs - 1;
    const double seconds =
        last < 0 ? 0 : number_of(json_array_get(r->lines, (size_t)last), "seconds");
    return isnan(seconds) ? mfm_strdup(r->ctx, "-") : mfm_format(r->ctx, "%.1f s", seconds);
}

/* "(byte / 255 - 0.286) / 0.353, grey, 1 x 28 x 28", numbers of several channels by commas. */
static char *pixels_text(const report *r)
{
    const json_t *p = json_object_get(r->run, "preprocess");
    const json_t *input = json_object_get(p, "input");
    char *mean = list_text(r->ctx, json_object_get(p, "mean"));
    char *deviation = list_text(r->ctx, json_object_get(p, "deviation"));
    const char *colours = json_string_value(json_object_get(p, "colours"));
    char *text = NULL;
    if (!p)
        text = mfm_strdup(r->ctx, "-");
    else if (mean && deviation)
        text =
            mfm_format(r->ctx, "(byte / %.10g - (%s)) / (%s), %s, %d x %d x %d",
                       json_number_value(json_object_get(p, "scale")), mean, deviation,
                       colours ? colours : "-", (int)json_integer_value(json_array_get(input, 0)),
                       (int)json_integer_value(json_array_get(input, 1)),
                       (int)json_integer_value(json_array_get(input, 2)));
    mfm_free(r->ctx, mean);
    mfm_free(r->ctx, deviation);
    return text;
}

static int add_figures(report *r)
{
    const json_t *train = json_object_get(r->run, "train_images");
    const json_t *meta = json_object_get(r->run, "meta_images");
    const json_t *validation = json_object_get(r->run, "validation_images");
    r->page.figures = r->figures;
    int status = add_figure(r, "Last test error", error_text(r, r->page.epochs - 1));
    if (!status)
        status = add_figure(r, "Lowest test error, chosen on the test images",
                            error_text(r, mfm_page_lowest(&r->page, r->page.test_error)));
    if (!status && r->page.validation_error)
        status = add_figure(r, "Lowest validation error", validation_text(r));
    if (!status)
        status = add_figure(r, "Training images", value_text(r->ctx, train));
    if (!status)
        status = add_figure(r, "Meta images", value_text(r->ctx, meta));
    if (!status && json_integer_value(validation) > 0)
        status = add_figure(r, "Validation images", value_text(r->ctx, validation));
    if (!status)
        status = add_figure(r, "Pixels", pixels_text(r));
    return status ? status : add_figure(r, "Time in training", time_text(r));
}

static void add_files(report *r)
{
    const mfm_run_folder *f = r->folder;
    const char *const paths[FILES] = {f->model,      f->best, f->modulator,
                                      f->checkpoint, f->run,  f->metrics};
    static const char *const texts[FILES] = {
        "the plain classifier of the last epoch, for any ONNX runtime",
        "the same of the epoch with the lowest validation error",
        "its modulator: soft label to gamma and beta",
        "what the run goes on from",
        "options, class counts and versions",
        "one JSON object per epoch"};
    r->page.files = r->files;
    for (int i = 0; i < FILES; i++)
        if (access(paths[i], F_OK) == 0)
            r->files[r->page.n_files++] = (mfm_page_row){strrchr(paths[i], '/') + 1, texts[i]};
}

static int fill(report *r)
{
    int status = read_run(r);
    if (!status)
        status = read_classes(r);
    if (!status)
        status = read_options(r);
    if (!status)
        status = read_lines(r);
    if (!status)
        status = read_epochs(r);
    if (status)
        return status;
    read_recall(r);
    add_files(r);
    status = add_titles(r);
    return status ? status : add_figures(r);
}

static void clear(report *r)
{
    for (size_t i = 0; i < r->n_texts; i++)
        mfm_free(r->ctx, r->texts[i]);
    void *const parts[] = {r->texts,     r->options, r->names,  r->per_class,
                           r->per_epoch, r->title,   r->summary};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        mfm_free(r->ctx, parts[i]);
    json_decref(r->lines);
    json_decref(r->run);
}

int mfm_run_report(mfm_ctx *ctx, const mfm_run_folder *folder)
{
    report r = {.ctx = ctx, .folder = folder};
    char *text = NULL;
    int status = fill(&r);
    if (!status)
        status = mfm_page_html(ctx, &r.page, &text);
    if (!status)
        status = mfm_write_file(ctx, folder->report, text, strlen(text));
    mfm_free(ctx, text);
    clear(&r);
    return status;
}
