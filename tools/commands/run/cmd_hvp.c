#include "tools/derive/derive_command.h"

static const mfm_option table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MFM_OPTION_STRING,
     .value = "FOLDER",
     .required = true,
     .offset = offsetof(mfm_derive_options, output),
     .help = "H v, as FOLDER/NAME.npy for the input and each trained parameter"},
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "At:", .options = mfm_derive_table, .count = MFM_DERIVE_OPTIONS},
    {.title = NULL}};

static const mfm_option_table hvp_options = {
    .positional = "MODEL",
    .purpose =
        "Computes Hessian-vector products of a classifier: the derivative of the gradient of f "
        "along a\n"
        "direction v in its parameters and its input, exact, by one tangent sweep through the\n"
        "backward pass. Files are like those of grad.",
    .groups = groups};

int mfm_cmd_hvp(mfm_ctx *ctx, int argc, const char **argv)
{
    mfm_derive_options o = {.output = NULL};
    mfm_arguments arguments;
    int status = mfm_options_parse(ctx, &hvp_options, argc, argv, &o, &arguments);
    if (!status)
        status = mfm_derive(ctx, arguments.positional, &o, true);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
