#include <stdio.h>

#include "onnx/checkpoint.h"
#include "onnx/surgery/inject.h"
#include "tools/edit/edit.h"
#include "tools/files.h"
#include "tools/options/groups/inject_arguments.h"
#include "tools/options/options.h"
#include "tools/train/unfinished.h"

typedef struct options {
    const char *output;
    uint64_t verify;
} options;

static const mfm_option table[] = {
    MFM_OUTPUT_OPTION(options, output),
    MFM_VERIFY_OPTION(options, verify),
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table strip_options = {
    .positional = "MODEL",
    .purpose =
        "Removes a modulator from a model, or the training state from a checkpoint: exactly\n"
        "what was put in. An untrained model is then what it was, byte for byte.",
    .groups = groups};

/* *removed: what was taken out. What was damaged would come out as a model of other numbers. */
static int strip(mfm_ctx *ctx, mfm_model *model, const char **removed)
{
    char *run = NULL;
    bool modulated = false;
    int status = mfm_checkpoint_options(ctx, model, &run);
    const bool checkpoint = run != NULL;
    mfm_free(ctx, run);
    if (!status && checkpoint)
        status = mfm_checkpoint_check(ctx, mfm_model_path(model));
    if (!status && checkpoint)
        status = mfm_checkpoint_strip(ctx, model);
    if (!status)
        status = mfm_has_modulator(ctx, model, &modulated);
    if (!status && !modulated && !checkpoint)
        return mfm_fail(ctx, MFM_EINVAL,
                        "%s: nothing to remove: it has neither a modulator nor "
                        "training state",
                        mfm_model_path(model));
    *removed = !checkpoint ? "modulator"
               : modulated ? "modulator and training state"
                           : "training state";
    return !status && modulated ? mfm_model_strip(ctx, model) : status;
}

int mfm_cmd_strip(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.output = NULL};
    const char *removed = "";
    mfm_edit edit = {.ctx = NULL};
    mfm_arguments arguments;
    mfm_model *model = NULL;
    int status = mfm_options_parse(ctx, &strip_options, argc, argv, &o, &arguments);
    if (!status)
        status = mfm_check_output(ctx, o.output, arguments.positional);
    if (!status)
        status = mfm_model_load(ctx, arguments.positional, &model);
    if (!status)
        status = mfm_refuse_unfinished(ctx, model);
    if (!status)
        status = mfm_edit_begin(ctx, model, o.verify, &edit);
    if (!status)
        status = strip(ctx, model, &removed);
    if (!status)
        status = mfm_edit_end(&edit, model, NULL);
    if (!status)
        status = mfm_save_output(ctx, model, o.output);
    if (!status) {
        printf("wrote %s (%s removed from %s)\n", mfm_output_name(o.output), removed,
               arguments.positional);
        status = mfm_edit_print(&edit);
    }
    mfm_edit_clear(&edit);
    mfm_model_free(model);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
