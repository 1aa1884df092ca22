#include <stdio.h>

#include "models/models.h"
#include "tools/files.h"
#include "tools/options/options.h"

typedef struct options {
    const char *output;
    uint64_t classes, seed;
    int64_t input[3]; /* channels, height, width */
} options;

static const mfm_option table[] = {
    MFM_OUTPUT_OPTION(options, output),
    {.name = "classes",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 2,
     .max = 65536,
     .offset = offsetof(options, classes),
     .silent_default = true,
     .help = "number of classes (default: the architecture's own)"},
    {.name = "input",
     .kind = MFM_OPTION_SHAPE,
     .value = "C,H,W",
     .offset = offsetof(options, input),
     .help = "channels, height and width of an image (default: the architecture's own)"},
    {.name = "seed",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = (double)INT64_MAX,
     .offset = offsetof(options, seed),
     .help = "seed of the fresh weights"},
};

static void print_architectures(void)
{
    printf("Architectures:\n");
    const mfm_architecture *architecture;
    for (size_t i = 0; (architecture = mfm_model_at(i)) != NULL; i++)
        printf("  %-12s %s\n", architecture->name, architecture->summary);
}

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table new_options = {
    .positional = "ARCHITECTURE",
    .purpose = "Makes a model with fresh weights and writes it as ONNX.",
    .more = print_architectures,
    .groups = groups};

/* An architecture or size that cannot be is told from the command line alone. */
static int make(mfm_ctx *ctx, const char *architecture, const options *o)
{
    const mfm_model_options wanted = {.classes = (int64_t)o->classes,
                                      .channels = o->input[0],
                                      .height = o->input[1],
                                      .width = o->input[2],
                                      .seed = o->seed};
    mfm_model *model = NULL;
    int status = mfm_model_make(ctx, architecture, &wanted, &model);
    if (status)
        return status == MFM_EINVAL ? MFM_EUSAGE : status;
    status = mfm_save_output(ctx, model, o->output);
    mfm_model_free(model);
    return status;
}

int mfm_cmd_new(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.seed = 0};
    mfm_arguments arguments;
    int status = mfm_options_parse(ctx, &new_options, argc, argv, &o, &arguments);
    if (!status)
        status = mfm_check_output(ctx, o.output, NULL);
    if (!status)
        status = make(ctx, arguments.positional, &o);
    if (!status)
        printf("wrote %s (%s, seed %llu)\n", mfm_output_name(o.output), arguments.positional,
               (unsigned long long)o.seed);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
