/* Attribute structs, by the operator's table: defaults, and values given as text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/op.h"

static void set_default(const mfm_attr_def *def, void *attr)
{
    void *field = (char *)attr + def->offset;
    switch (def->type) {
    case MFM_INT:
        *(int64_t *)field = (int64_t)def->fallback;
        break;
    case MFM_FLOAT:
        *(double *)field = def->fallback;
        break;
    case MFM_INTS:
        ((mfm_ints *)field)->count = -1;
        break;
    case MFM_FLOATS:
        ((mfm_floats *)field)->count = -1;
        break;
    case MFM_CHOICE:
        *(int *)field = (int)def->fallback;
        break;
    case MFM_TEXT:
        *(char *)field = '\0';
        break;
    }
}

void mfm_attr_defaults(const mfm_op *op, void *attr)
{
    if (op->attr_size)
        memset(attr, 0, op->attr_size);
    for (const mfm_attr_def *def = op->attrs; def && def->name; def++)
        set_default(def, attr);
}

const mfm_attr_def *mfm_attr_find(const mfm_op *op, const char *name)
{
    for (const mfm_attr_def *def = op->attrs; def && def->name; def++)
        if (strcmp(def->name, name) == 0)
            return def;
    return NULL;
}

/* The position of text in "A|B|C", -1 when it is not there. */
static int choice(const char *choices, const char *text)
{
    const size_t length = strlen(text);
    int index = 0;
    for (const char *at = choices;; index++) {
        const size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, text, word) == 0)
            return index;
        if (!at[word])
            return -1;
        at += word + 1;
    }
}

static bool parse_int(const char *text, const char **end, int64_t *value)
{
    char *stop;
    errno = 0;
    *value = strtoll(text, &stop, 10);
    *end = stop;
    return stop != text && errno == 0;
}

double mfm_attr_number(const mfm_op *op, const void *attr, const char *name, double fallback)
{
    const mfm_attr_def *def = mfm_attr_find(op, name);
    if (!def)
        return fallback;
    const char *field = (const char *)attr + def->offset;
    if (def->type == MFM_CHOICE)
        return *(const int *)(const void *)field;
    return def->type == MFM_INT ? (double)*(const int64_t *)(const void *)field
                                : *(const double *)(const void *)field;
}

static bool parse_ints(const char *text, mfm_ints *list)
{
    list->count = 0;
    if (!*text)
        return true;
    for (const char *at = text;; at++) {
        if (list->count == MFM_MAX_INTS || !parse_int(at, &at, &list->v[list->count]))
            return false;
        list->count++;
        if (!*at)
            return true;
        if (*at != ',')
            return false;
    }
}

static bool parse_floats(const char *text, mfm_floats *list)
{
    list->count = 0;
    if (!*text)
        return true;
    for (const char *at = text;; at++) {
        char *stop;
        if (list->count == MFM_MAX_FLOATS)
            return false;
        list->v[list->count] = strtod(at, &stop);
        if (stop == at)
            return false;
        list->count++;
        at = stop;
        if (!*at)
            return true;
        if (*at != ',')
            return false;
    }
}

static bool copy_text(const char *text, char *field)
{
    const size_t length = strlen(text);
    if (length >= MFM_MAX_TEXT)
        return false;
    memcpy(field, text, length + 1);
    return true;
}

static bool parse(const mfm_attr_def *def, void *field, const char *text)
{
    const char *end = text;
    char *stop = NULL;
    switch (def->type) {
    case MFM_INT:
        return parse_int(text, &end, field) && !*end;
    case MFM_FLOAT:
        *(double *)field = strtod(text, &stop);
        return stop != text && !*stop;
    case MFM_INTS:
        return parse_ints(text, field);
    case MFM_FLOATS:
        return parse_floats(text, field);
    case MFM_CHOICE:
        *(int *)field = choice(def->choices, text);
        return *(int *)field >= 0;
    case MFM_TEXT:
        return copy_text(text, field);
    }
    return false;
}

int mfm_attr_parse(mfm_ctx *ctx, const mfm_op *op, void *attr, const char *name, const char *text)
{
    const mfm_attr_def *def = mfm_attr_find(op, name);
    if (!def)
        return mfm_fail(ctx, MFM_EDATA, "%s: attribute '%s': there is none of that name", op->name,
                        name);
    if (!parse(def, (char *)attr + def->offset, text))
        return mfm_fail(ctx, MFM_EDATA, "%s: attribute '%s': '%s': not a valid value", op->name,
                        name, text);
    return MFM_OK;
}
