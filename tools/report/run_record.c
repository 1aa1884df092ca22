#include "tools/report/run_record.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/files.h"
#include "tools/report/run_command.h"
#include "tools/report/run_version.h"
#include "tools/show/print_json.h"

enum { FIGURES = 8, FILES = 6 };

/* What the metrics call the series, but for those that are made of recalls. */
static const char *const series_keys[MFM_PAGE_SERIES] = {
    [MFM_PAGE_TRAIN_LOSS] = "train_loss",
    [MFM_PAGE_META_LOSS] = "meta_loss",
    [MFM_PAGE_VALIDATION_LOSS] = "validation_loss",
    [MFM_PAGE_TEST_LOSS] = "test_loss",
    [MFM_PAGE_TEST_ERROR] = "test_error",
    [MFM_PAGE_VALIDATION_ERROR] = "validation_error",
    [MFM_PAGE_LR] = "lr"};

typedef mfm_run_record record;

/* ---- texts ---- */

const char *mfm_run_record_keep(record *r, char *text)
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

static int damaged(const record *r, const char *what, const char *rule)
{
    return mfm_fail(r->ctx, MFM_EDATA, "cannot read %s/run.json: %s: %s", r->path, what, rule);
}

/* A file of the folder. */
static int read_member(const record *r, const char *name, char **text, size_t *size)
{
    char *path = mfm_format(r->ctx, "%s/%s", r->path, name);
    const int status = path ? mfm_read_file(r->ctx, path, text, size) : MFM_ENOMEM;
    mfm_free(r->ctx, path);
    return status;
}

static int read_run(record *r)
{
    char *text;
    size_t size;
    json_error_t error;
    int status = read_member(r, "run.json", &text, &size);
    if (status)
        return status;
    r->run = json_loadb(text, size, 0, &error);
    mfm_free(r->ctx, text);
    return r->run ? MFM_OK : damaged(r, error.text, "expected JSON");
}

static int read_class(record *r, int c)
{
    const json_t *class = json_array_get(json_object_get(r->run, "classes"), (size_t)c);
    r->names[c] = json_string_value(json_object_get(class, "name"));
    const json_int_t train = json_integer_value(json_object_get(class, "train"));
    const json_int_t meta = json_integer_value(json_object_get(class, "meta"));
    r->per_class[c] = (double)train;
    r->per_class[r->classes + c] = (double)meta;
    return r->names[c] && train >= 0 && meta >= 0
               ? MFM_OK
               : damaged(r, "classes", "each has a name and counts of images");
}

static int read_classes(record *r)
{
    const size_t count = json_array_size(json_object_get(r->run, "classes"));
    if (count < 1 || count > INT32_MAX / 4)
        return damaged(r, "classes", "expected a list of them");
    r->classes = (int)count;
    r->names = mfm_alloc(r->ctx, count, sizeof *r->names);
    r->per_class = mfm_alloc(r->ctx, 3 * count, sizeof *r->per_class);
    int status = r->names && r->per_class ? MFM_OK : MFM_ENOMEM;
    for (int c = 0; c < r->classes && !status; c++)
        status = read_class(r, c);
    r->page.train = r->per_class;
    r->page.meta = r->per_class + count;
    return status;
}

static int read_options(record *r)
{
    json_t *options = json_object_get(r->run, "options");
    const char *key;
    json_t *value;
    if (!json_is_object(options))
        return damaged(r, "options", "expected an object");
    r->options = mfm_alloc(r->ctx, json_object_size(options), sizeof *r->options);
    if (!r->options)
        return MFM_ENOMEM;
    r->page.options = r->options;
    json_object_foreach(options, key, value)
    {
        const char *text = mfm_run_record_keep(r, value_text(r->ctx, value));
        if (!text)
            return MFM_ENOMEM;
        r->options[r->page.n_options++] = (mfm_page_row){key, text};
    }
    r->page.method = mfm_run_record_option(r, "method");
    r->page.data = mfm_run_record_option(r, "data");
    r->page.imbalance = mfm_run_record_option(r, "imbalance");
    r->page.seed = mfm_run_record_option(r, "seed");
    return MFM_OK;
}

/* ---- metrics.jsonl ---- */

static int read_line(record *r, const char *line, size_t length)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_int_t epoch = json_integer_value(json_object_get(object, "epoch"));
    if (epoch >= 1 && epoch <= UINT32_MAX)
        return json_array_append_new(r->lines, object)
                   ? mfm_fail(r->ctx, MFM_ENOMEM, "metrics: out of memory")
                   : MFM_OK;
    json_decref(object);
    return mfm_fail(r->ctx, MFM_EDATA,
                    "cannot read %s/metrics.jsonl: line %zu: expected an object with an epoch",
                    r->path, json_array_size(r->lines) + 1);
}

static bool is_whole(const char *line, size_t length)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    json_decref(object);
    return object != NULL;
}

/* The last line may be half written: by a run that goes on, or one that was killed. */
static int read_lines(record *r)
{
    char *text;
    size_t size;
    int status = read_member(r, "metrics.jsonl", &text, &size);
    r->lines = json_array();
    if (!status && !r->lines)
        status = mfm_fail(r->ctx, MFM_ENOMEM, "metrics: out of memory");
    for (const char *at = text; !status && *at;) {
        const size_t length = strcspn(at, "\n");
        if (at[length] || is_whole(at, length))
            status = read_line(r, at, length);
        else
            mfm_warn(r->ctx, "%s/metrics.jsonl: its last line is not whole: it is left out",
                     r->path);
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

/* The last line's recall of each class goes to recall [classes]. */
static void read_recall(const record *r, const json_t *line, double *recall)
{
    const json_t *list = json_object_get(line, "recall");
    for (int c = 0; c < r->classes; c++) {
        const json_t *value = json_array_get(list, (size_t)c);
        recall[c] = json_is_number(value) ? json_number_value(value) : NAN;
    }
}

/* Recalls of classes with many, medium and few training images, by epoch. */
static int group_recalls(const record *r, const mfm_class_borders *borders, size_t count,
                         double *series)
{
    static const enum mfm_page_series places[MFM_CLASS_GROUPS] = {
        [MFM_FEW] = MFM_PAGE_FEW, [MFM_MEDIUM] = MFM_PAGE_MEDIUM, [MFM_MANY] = MFM_PAGE_MANY};
    const size_t classes = (size_t)r->classes;
    uint32_t *train = mfm_alloc(r->ctx, classes, sizeof *train);
    double *recall = r->per_class + 2 * classes;
    if (!train)
        return MFM_ENOMEM;
    for (size_t c = 0; c < classes; c++)
        train[c] = (uint32_t)r->per_class[c];
    for (size_t i = 0; i < count; i++) {
        read_recall(r, json_array_get(r->lines, i), recall);
        for (int g = 0; g < MFM_CLASS_GROUPS; g++) {
            int all, tested;
            series[(size_t)places[g] * count + i] = mfm_class_group_mean(
                borders, recall, train, r->classes, (enum mfm_class_group)g, &all, &tested);
        }
    }
    mfm_free(r->ctx, train);
    return MFM_OK;
}

/* One for each class; outputs beyond them, which a model may have, have no test images. */
static bool fits_classes(const record *r, const json_t *recall)
{
    const size_t classes = (size_t)r->classes, count = json_array_size(recall);
    for (size_t c = classes; c < count; c++)
        if (!json_is_null(json_array_get(recall, c)))
            return false;
    return count >= classes;
}

/* Epochs that do not ascend have no place on an axis. */
static int read_epochs(record *r, const mfm_class_borders *borders)
{
    const size_t count = json_array_size(r->lines);
    r->per_epoch = mfm_alloc(r->ctx, (1 + MFM_PAGE_SERIES) * count, sizeof *r->per_epoch);
    if (!r->per_epoch)
        return MFM_ENOMEM;
    double *series = r->per_epoch + count;
    for (size_t i = 0; i < count; i++) {
        const json_t *line = json_array_get(r->lines, i);
        r->per_epoch[i] = number_of(line, "epoch");
        for (size_t k = 0; k < MFM_PAGE_SERIES; k++)
            series[k * count + i] = series_keys[k] ? number_of(line, series_keys[k]) : NAN;
        const json_t *recall = json_object_get(line, "recall");
        if (json_is_array(recall) && !fits_classes(r, recall))
            return mfm_fail(r->ctx, MFM_EDATA,
                            "cannot read %s/metrics.jsonl: line %zu: recall of %zu classes: "
                            "run.json has %d",
                            r->path, i + 1, json_array_size(recall), r->classes);
        if (i && r->per_epoch[i] <= r->per_epoch[i - 1])
            return mfm_fail(r->ctx, MFM_EDATA,
                            "cannot read %s/metrics.jsonl: line %zu: its epoch must be a later one",
                            r->path, i + 1);
    }
    const int status = group_recalls(r, borders, count, series);
    r->page.epochs = (int)count;
    r->page.epoch = r->per_epoch;
    for (size_t k = 0; k < MFM_PAGE_SERIES; k++)
        r->page.series[k] = any_known(series + k * count, count) ? series + k * count : NULL;
    if (count > 0)
        r->page.recall = r->per_class + 2 * r->classes;
    return status;
}

const char *mfm_run_record_option(const record *r, const char *name)
{
    for (int i = 0; i < r->page.n_options; i++)
        if (strcmp(r->options[i].name, name) == 0)
            return r->options[i].text;
    return "-";
}

/* ---- what stands above the options ---- */

/* "22.10 % (epoch 3)", a dash without one. */
static char *error_text(const record *r, int index)
{
    const double *error = r->page.series[MFM_PAGE_TEST_ERROR];
    if (index < 0 || !error || isnan(error[index]))
        return mfm_strdup(r->ctx, "-");
    return mfm_format(r->ctx, "%.2f %% (epoch %.10g)", error[index], r->page.epoch[index]);
}

/* "22.10 % (epoch 3; test error 24.00 %)". */
static char *validation_text(const record *r)
{
    const double *validation = r->page.series[MFM_PAGE_VALIDATION_ERROR];
    const double *error = r->page.series[MFM_PAGE_TEST_ERROR];
    const int lowest = mfm_page_lowest(validation, r->page.epochs);
    return mfm_format(r->ctx, "%.2f %% (epoch %.10g; test error %.2f %%)", validation[lowest],
                      r->page.epoch[lowest], error ? error[lowest] : NAN);
}

static char *time_text(const record *r)
{
    const int last = r->page.epochs - 1;
    const double seconds =
        last < 0 ? 0 : number_of(json_array_get(r->lines, (size_t)last), "seconds");
    return isnan(seconds) ? mfm_strdup(r->ctx, "-") : mfm_format(r->ctx, "%.1f s", seconds);
}

/* "[13], as stored" or "[13], (x - mean) / deviation along axis 1", of arrays. */
static char *numbers_text(const record *r, const json_t *p)
{
    char *shape = list_text(r->ctx, json_object_get(p, "numbers"));
    const json_t *axis = json_object_get(p, "axis");
    char *text = NULL;
    if (shape && axis)
        text = mfm_format(r->ctx, "[%s], (x - mean) / deviation along axis %d", shape,
                          (int)json_integer_value(axis));
    else if (shape)
        text = mfm_format(r->ctx, "[%s], as stored", shape);
    mfm_free(r->ctx, shape);
    return text;
}

/* "(byte / 255 - 0.286) / 0.353, grey, 1 x 28 x 28", numbers of several channels by commas. */
static char *pixels_text(const record *r)
{
    const json_t *p = json_object_get(r->run, "preprocess");
    const json_t *input = json_object_get(p, "input");
    char *mean = list_text(r->ctx, json_object_get(p, "mean"));
    char *deviation = list_text(r->ctx, json_object_get(p, "deviation"));
    const char *colours = json_string_value(json_object_get(p, "colours"));
    char *text = NULL;
    if (!p)
        text = mfm_strdup(r->ctx, "-");
    else if (json_object_get(p, "numbers"))
        text = numbers_text(r, p);
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

static int add_figure(record *r, const char *name, char *text)
{
    const char *kept = mfm_run_record_keep(r, text);
    if (kept)
        r->figures[r->page.n_figures++] = (mfm_page_row){name, kept};
    return kept ? MFM_OK : MFM_ENOMEM;
}

static int add_figures(record *r)
{
    static const char *const counts[][2] = {{"train_images", "Training images"},
                                            {"meta_images", "Meta images"},
                                            {"validation_images", "Validation images"}};
    const double *error = r->page.series[MFM_PAGE_TEST_ERROR];
    const json_t *preprocess = json_object_get(r->run, "preprocess");
    r->figures = mfm_alloc(r->ctx, FIGURES, sizeof *r->figures);
    if (!r->figures)
        return MFM_ENOMEM;
    r->page.figures = r->figures;
    int status = add_figure(r, "Last test error", error_text(r, r->page.epochs - 1));
    if (!status)
        status = add_figure(r, "Lowest test error, chosen on the test images",
                            error_text(r, error ? mfm_page_lowest(error, r->page.epochs) : -1));
    if (!status && r->page.series[MFM_PAGE_VALIDATION_ERROR])
        status = add_figure(r, "Lowest validation error", validation_text(r));
    for (int i = 0; i < 3 && !status; i++) {
        const json_t *count = json_object_get(r->run, counts[i][0]);
        if (i < 2 || json_integer_value(count) > 0)
            status = add_figure(r, counts[i][1], value_text(r->ctx, count));
    }
    if (!status)
        status = add_figure(r, json_object_get(preprocess, "numbers") ? "Numbers" : "Pixels",
                            pixels_text(r));
    return status ? status : add_figure(r, "Time in training", time_text(r));
}

static int add_files(record *r)
{
    static const mfm_page_row files[FILES] = {
        {"model.onnx", "the plain classifier of the last epoch, for any ONNX runtime"},
        {"best.onnx", "the same of the epoch with the lowest validation error"},
        {"modulator.onnx", "its modulator: soft label to gamma and beta"},
        {"checkpoint.onnx", "what the run goes on from"},
        {"run.json", "options, class counts and versions"},
        {"metrics.jsonl", "one JSON object per epoch"}};
    r->files = mfm_alloc(r->ctx, FILES, sizeof *r->files);
    if (!r->files)
        return MFM_ENOMEM;
    for (int i = 0; i < FILES; i++) {
        char *path = mfm_format(r->ctx, "%s/%s", r->path, files[i].name);
        if (!path)
            return MFM_ENOMEM;
        if (access(path, F_OK) == 0)
            r->files[r->page.n_files++] = files[i];
        mfm_free(r->ctx, path);
    }
    r->page.files = r->files;
    return MFM_OK;
}

/* ---- places ---- */

char *mfm_run_record_place(const record *r, const char *path)
{
    char here[PATH_MAX], *began = NULL;
    const json_t *stored = json_object_get(r->run, "folder");
    if (path[0] == '/' || !stored || mfm_json_exact_text(r->ctx, stored, &began))
        return mfm_strdup(r->ctx, path);
    const bool elsewhere = getcwd(here, sizeof here) && strcmp(here, began) != 0;
    char *place = elsewhere ? mfm_format(r->ctx, "%s/%s", began, path) : mfm_strdup(r->ctx, path);
    mfm_free(r->ctx, began);
    return place;
}

/* ---- all of it ---- */

static const char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static int fill(record *r, const mfm_class_borders *borders)
{
    char *note = NULL;
    int status = read_run(r);
    if (!status)
        status = mfm_run_version_note(r->ctx, r->run, r->path, &note);
    if (note && !(r->page.note = mfm_run_record_keep(r, note)))
        status = MFM_ENOMEM;
    if (!status)
        status = read_classes(r);
    if (!status)
        status = read_options(r);
    if (!status)
        status = read_lines(r);
    if (!status)
        status = read_epochs(r, borders);
    if (!status)
        status = add_files(r);
    if (!status)
        status = add_figures(r);
    r->page.name = short_name(r->path);
    if (!status && !(r->page.command = mfm_run_record_keep(r, mfm_run_command(r->ctx, r->run))))
        status = MFM_ENOMEM;
    return status;
}

int mfm_run_record_read(mfm_ctx *ctx, const char *path, const mfm_class_borders *borders, record *r)
{
    *r = (record){.ctx = ctx, .path = mfm_strdup(ctx, path)};
    if (!r->path)
        return MFM_ENOMEM;
    for (size_t length = strlen(r->path); length > 1 && r->path[length - 1] == '/';)
        r->path[--length] = '\0';
    return fill(r, borders);
}

void mfm_run_record_clear(record *r)
{
    for (size_t i = 0; i < r->n_texts; i++)
        mfm_free(r->ctx, r->texts[i]);
    void *const parts[] = {r->path,  r->texts, r->options,   r->figures,
                           r->files, r->names, r->per_class, r->per_epoch};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        mfm_free(r->ctx, parts[i]);
    json_decref(r->lines);
    json_decref(r->run);
}
