#include "tools/options/groups/view_options.h"

#include <stdlib.h>

enum { MOST_SIDE = 1 << 16 };

const mfm_option mfm_view_table[MFM_VIEW_OPTIONS] = {
    {.name = "input-size",
     .kind = MFM_OPTION_STRING,
     .value = "H,W",
     .offset = offsetof(mfm_view_arguments, input_size),
     .silent_default = true,
     .help = "height and width of the images, or one number for both, where the file leaves them "
             "open (default: what its metadata tells)"},
    {.name = "logits",
     .kind = MFM_OPTION_STRING,
     .value = "NAME",
     .offset = offsetof(mfm_view_arguments, logits),
     .silent_default = true,
     .help = "the output that holds the logits, where the model has several (default: what its "
             "metadata tells, else the first of floating-point numbers)"},
};

static bool read_side(const char *text, char **end, int64_t *side)
{
    *side = strtol(text, end, 10);
    return *end > text && *side >= 1 && *side <= MOST_SIDE;
}

int mfm_view_apply(mfm_ctx *ctx, const mfm_view_arguments *arguments, mfm_model *model)
{
    mfm_view view = {.output = arguments->logits, .planes = true};
    const char *size = arguments->input_size;
    if (size) {
        char *end;
        bool good = read_side(size, &end, &view.height);
        view.width = view.height;
        if (good && *end == ',')
            good = read_side(end + 1, &end, &view.width);
        if (!good || *end)
            return mfm_fail(ctx, MFM_EUSAGE,
                            "--input-size: %.80s: expected HEIGHT,WIDTH or one number, 1 to %d",
                            size, MOST_SIDE);
    }
    return mfm_model_set_view(model, &view);
}
