#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "onnx/info/diff/diff.h"
#include "tools/files.h"
#include "tools/options/options.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"
#include "tools/show/text_table.h"

typedef struct options {
    double tolerance;
    bool json;
} options;

static const mfm_option table[] = {
    {.name = "tolerance",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1,
     .offset = offsetof(options, tolerance),
     .help = "count tensors as equal when the norm of their difference is at most X times that of "
             "the first"},
    MFM_JSON_OPTION(options, json),
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table diff_options = {
    .positional = "MODEL",
    .rest = "OTHER",
    .rest_is_one = true,
    .purpose =
        "Shows what differs between two models: inputs, outputs, nodes, tensors with the norms of\n"
        "their differences, metadata. Values and tensors are matched by their names. The\n"
        "exit status is 0 when nothing differs, 1 when something does.",
    .groups = groups};

static bool counts(const mfm_difference *d, const options *o)
{
    return !d->numeric || d->norm_apart > o->tolerance * d->norm_before ||
           (o->tolerance == 0 && d->n_apart);
}

static size_t count_all(const mfm_diff *diff, const options *o)
{
    size_t count = 0;
    for (size_t i = 0; i < diff->count; i++)
        count += counts(&diff->items[i], o);
    return count;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    return text ? mfm_json_text(text) : json_null();
}

static json_t *item_to_json(const mfm_difference *d)
{
    json_t *item = json_pack("{s:s, s:o, s:o, s:o}", "part", mfm_diff_part_name(d->part), "name",
                             mfm_json_text(d->name), "before", text_or_null(d->before), "after",
                             text_or_null(d->after));
    if (item && d->numeric)
        json_object_set_new(item, "numbers",
                            json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "all",
                                      (json_int_t)d->numbers, "different", (json_int_t)d->n_apart,
                                      "norm_before", mfm_json_number(d->norm_before), "norm_after",
                                      mfm_json_number(d->norm_after), "norm_difference",
                                      mfm_json_number(d->norm_apart), "largest_difference",
                                      mfm_json_number(d->most_apart)));
    return item;
}

static int print_json(mfm_ctx *ctx, const mfm_diff *diff, const options *o)
{
    json_t *list = json_array();
    for (size_t i = 0; i < diff->count && list; i++)
        if (counts(&diff->items[i], o))
            json_array_append_new(list, item_to_json(&diff->items[i]));
    return mfm_print_json(
        ctx, list ? json_pack("{s:b, s:o}", "same", json_array_size(list) == 0, "differences", list)
                  : NULL);
}

/* ---- text ----------------------------------------------------------------------------------- */

static void print_item(const mfm_difference *d)
{
    const char *part = mfm_diff_part_name(d->part);
    if (!d->before)
        mfm_print(stdout, "+ %s %s: %s\n", part, d->name, d->after);
    else if (!d->after)
        mfm_print(stdout, "- %s %s: %s\n", part, d->name, d->before);
    else
        mfm_print(stdout, "~ %s %s: %s -> %s\n", part, d->name, d->before, d->after);
}

static int print_tensors(mfm_ctx *ctx, const mfm_diff *diff, const options *o)
{
    static const char *const titles[] = {
        "tensor", "shape", "differ", "norm before", "norm after", "norm of difference", "largest"};
    mfm_text_table t;
    mfm_text_table_init(&t, ctx, "llrrrrr");
    for (size_t i = 0; i < diff->count; i++) {
        const mfm_difference *d = &diff->items[i];
        if (!d->numeric || !counts(d, o))
            continue;
        const bool first = t.count == 0;
        for (size_t k = 0; first && k < sizeof titles / sizeof titles[0]; k++)
            mfm_text_table_add(&t, "%s", titles[k]);
        mfm_text_table_add(&t, "%s", d->name);
        mfm_text_table_add(&t, "%s", d->after);
        mfm_text_table_add(&t, "%" PRIu64 " of %" PRIu64, d->n_apart, d->numbers);
        mfm_text_table_add(&t, "%.6g", d->norm_before);
        mfm_text_table_add(&t, "%.6g", d->norm_after);
        mfm_text_table_add(&t, "%.6g", d->norm_apart);
        mfm_text_table_add(&t, "%.6g", d->most_apart);
    }
    return mfm_text_table_print(&t);
}

static int print_text(mfm_ctx *ctx, const mfm_diff *diff, const options *o)
{
    for (size_t i = 0; i < diff->count; i++)
        if (!diff->items[i].numeric)
            print_item(&diff->items[i]);
    return print_tensors(ctx, diff, o);
}

static int compare(mfm_ctx *ctx, const mfm_model *a, const mfm_model *b, const options *o)
{
    mfm_diff *diff = NULL;
    int status = mfm_model_diff(ctx, a, b, &diff);
    const size_t count = status ? 0 : count_all(diff, o);
    if (!status)
        status = o->json ? print_json(ctx, diff, o) : print_text(ctx, diff, o);
    if (!status && count)
        status = mfm_fail(ctx, MFM_ECHECK, "%s and %s: %zu difference%s", mfm_model_path(a),
                          mfm_model_path(b), count, count == 1 ? "" : "s");
    mfm_diff_free(diff);
    return status;
}

int mfm_cmd_diff(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.tolerance = 0};
    mfm_arguments arguments;
    mfm_model *a = NULL, *b = NULL;
    const char *other = NULL;
    int status = mfm_options_parse(ctx, &diff_options, argc, argv, &o, &arguments);
    if (!status && mfm_arguments_rest(&arguments) != 1)
        status = mfm_fail(ctx, MFM_EUSAGE, "%zu models given: diff compares two",
                          mfm_arguments_rest(&arguments) + 1);
    if (!status) {
        other = mfm_arguments_rest_at(&arguments, 0);
        status = mfm_take_model(ctx, &other);
    }
    if (!status)
        status = mfm_model_load(ctx, arguments.positional, &a);
    if (!status)
        status = mfm_model_load(ctx, other, &b);
    if (!status)
        status = compare(ctx, a, b, &o);
    mfm_model_free(a);
    mfm_model_free(b);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
