#include "core/data/class_names.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_different(mfm_ctx *ctx, const char *path, const mfm_class_names *n)
{
    const char **sorted = mfm_alloc(ctx, n->count, sizeof *sorted);
    int status = sorted ? MFM_OK : MFM_ENOMEM;
    if (sorted && n->count)
        memcpy(sorted, n->name, n->count * sizeof *sorted);
    if (sorted)
        qsort(sorted, n->count, sizeof *sorted, compare);
    for (size_t i = 1; i < n->count && !status; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status =
                mfm_fail(ctx, MFM_EDATA, "%s: two classes are called '%.80s'", path, sorted[i]);
    mfm_free(ctx, sorted);
    return status;
}

/* Cuts the text into its lines, which the names point to. */
static int split_lines(mfm_ctx *ctx, const char *path, mfm_class_names *n)
{
    size_t capacity = 0;
    for (char *line = n->text; *line;) {
        const size_t length = strcspn(line, "\r\n");
        char *next = line + length + (line[length] == '\r' && line[length + 1] == '\n');
        if (length == 0)
            return mfm_fail(ctx, MFM_EDATA, "%s: line %zu is empty: expected the name of a class",
                            path, n->count + 1);
        if (mfm_grow(ctx, &n->name, n->count, &capacity, sizeof *n->name))
            return MFM_ENOMEM;
        n->name[n->count++] = line;
        next += *next != '\0';
        line[length] = '\0';
        line = next;
    }
    return check_different(ctx, path, n);
}

int mfm_class_names_parse(mfm_ctx *ctx, const char *path, char *text, size_t size,
                          mfm_class_names *names)
{
    *names = (mfm_class_names){.text = text};
    return strlen(text) == size
               ? split_lines(ctx, path, names)
               : mfm_fail(ctx, MFM_EDATA, "%s: holds a zero byte: expected text", path);
}

void mfm_class_names_clear(mfm_ctx *ctx, mfm_class_names *names)
{
    mfm_free(ctx, names->name);
    mfm_free(ctx, names->text);
    *names = (mfm_class_names){.text = NULL};
}
