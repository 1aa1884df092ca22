#include "tools/derive/derive_command.h"

static const mfm_option table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MFM_OPTION_STRING,
     .value = "FOLDER",
     .offset = offsetof(mfm_derive_options, output),
     .help = "the gradient of f, as FOLDER/NAME.npy for the input and each trained parameter"},
    {.name = "jvp",
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(mfm_derive_options, jvp),
     .help = "J v, the derivative of the logits along the direction, [n, classes]; FILE.npy with "
             "NumPy's header"},
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "At:", .options = mfm_derive_table, .count = MFM_DERIVE_OPTIONS},
    {.title = NULL}};

static const mfm_option_table grad_options = {
    .positional = "MODEL",
    .purpose = "Computes gradients and Jacobian-vector products of a classifier for its input\n"
               "and every parameter. Files are .npy as NumPy writes them, or hold nothing but\n"
               "numbers: float32, lowest byte first, the last axis fastest.",
    .groups = groups};

int mfm_cmd_grad(mfm_ctx *ctx, int argc, const char **argv)
{
    mfm_derive_options o = {.output = NULL};
    mfm_arguments arguments;
    int status = mfm_options_parse(ctx, &grad_options, argc, argv, &o, &arguments);
    if (!status)
        status = mfm_derive(ctx, arguments.positional, &o, false);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
