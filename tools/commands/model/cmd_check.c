#include <stdio.h>

#include "onnx/info/check.h"
#include "tools/options/options.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"

typedef struct options {
    bool json;
} options;

static const mfm_option table[] = {
    MFM_JSON_OPTION(options, json),
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table check_options = {
    .positional = "MODEL",
    .purpose =
        "Finds everything that is wrong with a model at once: broken rules of ONNX, numbers\n"
        "that are not numbers, shapes that do not hold, damaged metadata (errors and\n"
        "warnings), and what keeps it from being trained (obstacles). The exit status is 1\n"
        "when there are errors or obstacles.",
    .groups = groups};

static int print_json(mfm_ctx *ctx, const char *path, const mfm_findings *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->count && list; i++)
        json_array_append_new(list, json_pack("{s:s, s:o}", "severity",
                                              mfm_severity_name(p->items[i].severity), "problem",
                                              mfm_json_text(p->items[i].text)));
    const bool valid = mfm_findings_of(p, MFM_FINDING_ERROR) == 0;
    return mfm_print_json(
        ctx, list ? json_pack("{s:o, s:b, s:b, s:o}", "file", mfm_json_text(path), "valid", valid,
                              "trainable", valid && mfm_findings_of(p, MFM_FINDING_OBSTACLE) == 0,
                              "problems", list)
                  : NULL);
}

static int print(mfm_ctx *ctx, const char *path, const mfm_findings *p, bool json)
{
    if (json)
        return print_json(ctx, path, p);
    for (size_t i = 0; i < p->count; i++)
        mfm_print(stdout, "%s: %s\n", mfm_severity_name(p->items[i].severity), p->items[i].text);
    if (p->count == 0)
        mfm_print(stdout, "%s: nothing is wrong\n", path);
    return MFM_OK;
}

int mfm_cmd_check(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.json = false};
    mfm_arguments arguments;
    mfm_findings problems = {.ctx = NULL};
    int status = mfm_options_parse(ctx, &check_options, argc, argv, &o, &arguments);
    const char *path = arguments.positional;
    if (!status)
        status = mfm_model_check(ctx, path, &problems);
    if (!status)
        status = print(ctx, path, &problems, o.json);
    const size_t errors = mfm_findings_of(&problems, MFM_FINDING_ERROR);
    const size_t obstacles = mfm_findings_of(&problems, MFM_FINDING_OBSTACLE);
    if (!status && (errors || obstacles))
        status = mfm_fail(ctx, MFM_ECHECK, "%s: %zu error%s, %zu obstacle%s to training", path,
                          errors, errors == 1 ? "" : "s", obstacles, obstacles == 1 ? "" : "s");
    mfm_findings_clear(&problems);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
