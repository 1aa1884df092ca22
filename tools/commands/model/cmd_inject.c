#include <inttypes.h>
#include <stdio.h>

#include "onnx/surgery/inject_info.h"
#include "tools/edit/edit.h"
#include "tools/files.h"
#include "tools/options/groups/inject_arguments.h"
#include "tools/show/printable.h"

typedef struct options {
    const char *output;
    uint64_t classes, seed, verify;
    mfm_inject_arguments inject;
} options;

static const mfm_option table[] = {
    MFM_OUTPUT_OPTION(options, output),
    {.name = "classes",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 1 << 20,
     .offset = offsetof(options, classes),
     .silent_default = true,
     .help = "length of the soft label (default: the model's number of classes)"},
    {.name = "seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     .offset = offsetof(options, seed),
     .help = "seed of the modulator's fresh weights"},
    MFM_VERIFY_OPTION(options, verify),
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "Modulator:",
     .options = mfm_inject_table,
     .count = MFM_INJECT_OPTIONS,
     .base = offsetof(options, inject)},
    {.title = NULL}};

static const mfm_option_table inject_options = {
    .positional = "MODEL",
    .purpose = "Puts a feature modulator into a model, as standard ONNX operators. The file\n"
               "computes what it did before until its inputs mfm.soft_label and mfm.switch are\n"
               "fed; train trains it, strip removes it again.",
    .groups = groups};

static int print_sites(mfm_ctx *ctx, const mfm_model *model)
{
    mfm_inject_info *info = NULL;
    const int status = mfm_inject_info_read(ctx, model, &info);
    if (status)
        return status;
    printf("\nmodulated with %s, from a soft label over %" PRId64 " classes:\n",
           mfm_modulation_name(info->modulation), info->classes);
    for (size_t i = 0; i < info->n_sites; i++)
        mfm_print(stdout, "  %s: %" PRId64 " channels, position %s, value %s\n",
                  info->sites[i].layer, info->sites[i].channels,
                  mfm_position_name(info->sites[i].position), info->sites[i].value);
    mfm_inject_info_free(ctx, info);
    return MFM_OK;
}

static int inject(mfm_ctx *ctx, mfm_model *model, const options *o)
{
    mfm_edit edit;
    int status = mfm_edit_begin(ctx, model, o->verify, &edit);
    if (!status)
        status = mfm_inject_as_asked(ctx, model, &o->inject, o->classes, o->seed);
    if (!status)
        status = mfm_edit_end(&edit, model, NULL);
    if (!status)
        status = mfm_save_output(ctx, model, o->output);
    if (!status) {
        printf("wrote %s (modulator added to %s)\n", mfm_output_name(o->output),
               mfm_model_path(model));
        status = mfm_edit_print(&edit);
    }
    mfm_edit_clear(&edit);
    return status ? status : print_sites(ctx, model);
}

int mfm_cmd_inject(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.inject = mfm_inject_defaults};
    mfm_arguments arguments;
    mfm_model *model = NULL;
    int status = mfm_options_parse(ctx, &inject_options, argc, argv, &o, &arguments);
    if (!status)
        status = mfm_check_output(ctx, o.output, arguments.positional);
    if (!status)
        status = mfm_model_load(ctx, arguments.positional, &model);
    if (!status)
        status = inject(ctx, model, &o);
    mfm_model_free(model);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
