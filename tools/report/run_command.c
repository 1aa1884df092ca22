#include "tools/report/run_command.h"

#include <string.h>

#include "tools/options/option_json.h"
#include "tools/options/option_parts.h"
#include "tools/show/print_json.h"
#include "tools/show/shell_word.h"
#include "tools/train/job/train_options.h"

/* A text that grows; NULL once memory ran out. */
typedef struct line {
    mfm_ctx *ctx;
    char *text;
} line;

static void add(line *l, const char *before, const char *word)
{
    char *quoted = mfm_shell_word(l->ctx, word);
    char *longer = l->text && quoted ? mfm_format(l->ctx, "%s%s%s", l->text, before, quoted) : NULL;
    mfm_free(l->ctx, quoted);
    mfm_free(l->ctx, l->text);
    l->text = longer;
}

/* A value as the command line takes it: numbers with all their digits, lists by commas. */
static char *value_word(mfm_ctx *ctx, const json_t *value)
{
    char *text = NULL;
    if (json_is_integer(value))
        return mfm_format(ctx, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return mfm_format(ctx, "%.15g", json_real_value(value));
    if (!json_is_array(value))
        return mfm_json_exact_text(ctx, value, &text) ? NULL : text;
    text = mfm_strdup(ctx, json_array_size(value) ? "" : "none");
    for (size_t i = 0; i < json_array_size(value) && text; i++) {
        char *longer = mfm_format(ctx, "%s%s%lld", text, i ? "," : "",
                                  (long long)json_integer_value(json_array_get(value, i)));
        mfm_free(ctx, text);
        text = longer;
    }
    return text;
}

static void add_value(line *l, const char *name, const json_t *value)
{
    char *word = value_word(l->ctx, value);
    add(l, " --", name);
    if (word)
        add(l, " ", word);
    mfm_free(l->ctx, word);
}

static void add_option(line *l, const mfm_option *option, const json_t *value)
{
    if (option->kind == MFM_OPTION_FLAG) {
        if (json_is_true(value))
            add(l, " --", option->name);
        return;
    }
    if (option->kind != MFM_OPTION_STRINGS) {
        add_value(l, option->name, value);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        add_value(l, option->name, json_array_get(value, i));
}

/* Options in the table's order, but for the output and what is as it would be anyway. */
static void add_options(line *l, const json_t *options)
{
    mfm_train_arguments *arguments = mfm_alloc(l->ctx, 1, sizeof *arguments);
    mfm_form *form = mfm_alloc(l->ctx, 1, sizeof *form);
    mfm_option_entry entry;
    if (arguments && form)
        mfm_train_form_init(form, arguments);
    for (size_t i = 0; arguments && form && mfm_option_at(&form->table, i, &entry); i++) {
        const json_t *value = json_object_get(options, entry.option->name);
        json_t *usual = mfm_option_to_json(entry.option, (const char *)arguments + entry.offset);
        if (value && !json_is_null(value) && !json_equal(value, usual) &&
            strcmp(entry.option->name, "output") != 0)
            add_option(l, entry.option, value);
        json_decref(usual);
    }
    mfm_free(l->ctx, arguments);
    mfm_free(l->ctx, form);
}

char *mfm_run_command(mfm_ctx *ctx, const json_t *run)
{
    line l = {ctx, mfm_strdup(ctx, "")};
    char *folder = NULL, *model = NULL;
    const json_t *stored = json_object_get(run, "folder");
    if (stored && !mfm_json_exact_text(ctx, stored, &folder) && folder) {
        add(&l, "cd ", folder);
        char *longer = l.text ? mfm_format(ctx, "%s && ", l.text) : NULL;
        mfm_free(ctx, l.text);
        l.text = longer;
    }
    if (!mfm_json_exact_text(ctx, json_object_get(run, "model_file"), &model) && model)
        add(&l, "onnx-mfm train ", model);
    add(&l, " -o ", "repeated.onnx");
    add_options(&l, json_object_get(run, "options"));
    /* Any number gives the same results; this one gives the pace that the run had. */
    const json_t *threads = json_object_get(run, "threads");
    if (json_is_integer(threads))
        add_value(&l, "threads", threads);
    mfm_free(ctx, folder);
    mfm_free(ctx, model);
    return l.text;
}

const char *mfm_run_command_lacks(mfm_ctx *ctx, const json_t *run)
{
    mfm_train_arguments *arguments = mfm_alloc(ctx, 1, sizeof *arguments);
    mfm_form *form = mfm_alloc(ctx, 1, sizeof *form);
    const char *unknown = NULL;
    if (arguments && form) {
        mfm_train_form_init(form, arguments);
        unknown = mfm_options_unknown(&form->table, json_object_get(run, "options"));
    }
    mfm_free(ctx, arguments);
    mfm_free(ctx, form);
    return unknown;
}
