#include "tools/class_names.h"

#include "tools/files.h"

int mfm_class_names_read(mfm_ctx *ctx, const char *path, mfm_class_names *names)
{
    char *text;
    size_t size;
    *names = (mfm_class_names){.text = NULL};
    const int status = mfm_read_file(ctx, path, &text, &size);
    return status ? status : mfm_class_names_parse(ctx, path, text, size, names);
}
