#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/suggest.h"
#include "tools/option_parts.h"

static int bad_value(mfm_ctx *ctx, const mfm_option *option, const char *text, const char *rule)
{
    return mfm_fail(ctx, MFM_EUSAGE, "--%s: %.80s: %s", option->name, text, rule);
}

static int bad_range(mfm_ctx *ctx, const mfm_option *option, const char *text)
{
    const char *kind = option->kind == MFM_OPTION_REAL ? "number" : "whole number";
    return option->max < HUGE_VAL
               ? mfm_fail(ctx, MFM_EUSAGE, "--%s: %.80s: a %s from %.15g to %.15g is needed",
                          option->name, text, kind, option->min, option->max)
               : mfm_fail(ctx, MFM_EUSAGE, "--%s: %.80s: a %s from %.15g up is needed",
                          option->name, text, kind, option->min);
}

/* Digits only: strtoull alone would take signs and blanks. */
static bool read_uint(const char *text, const char **end, uint64_t *number)
{
    if (text[0] < '0' || text[0] > '9')
        return false;
    char *after;
    errno = 0;
    *number = strtoull(text, &after, 10);
    *end = after;
    return errno == 0;
}

static int set_uint(mfm_ctx *ctx, const mfm_option *option, const char *text, void *field)
{
    const char *end;
    uint64_t number;
    if (!read_uint(text, &end, &number) || *end || (double)number < option->min ||
        (double)number > option->max)
        return bad_range(ctx, option, text);
    *(uint64_t *)field = number;
    return MFM_OK;
}

static int set_real(mfm_ctx *ctx, const mfm_option *option, const char *text, void *field)
{
    char *end;
    const double number = strtod(text, &end);
    const bool whole = text[0] != '\0' && text[strspn(text, " \t\n")] == text[0] && *end == '\0';
    if (!whole || !isfinite(number) || number < option->min || number > option->max)
        return bad_range(ctx, option, text);
    *(double *)field = number;
    return MFM_OK;
}

static int set_uints(mfm_ctx *ctx, const mfm_option *option, const char *text, void *field)
{
    mfm_uints list = {.count = 0};
    const char *at = strcmp(text, "none") == 0 ? "" : text;
    while (*at) {
        uint64_t number;
        if (list.count == MFM_MAX_UINTS || !read_uint(at, &at, &number) || number > UINT32_MAX ||
            (*at == ',' && !at[1]) || (*at && *at != ','))
            return bad_value(ctx, option, text, "up to 16 whole numbers as in 160,180 are needed");
        list.item[list.count++] = (uint32_t)number;
        at += *at == ',';
    }
    *(mfm_uints *)field = list;
    return MFM_OK;
}

static int set_shape(mfm_ctx *ctx, const mfm_option *option, const char *text, void *field)
{
    const char *at = text;
    int64_t shape[3];
    for (int i = 0; i < 3; i++) {
        uint64_t number;
        if (!read_uint(at, &at, &number) || number == 0 || number > 1 << 16 ||
            *at != (i < 2 ? ',' : '\0'))
            return bad_value(ctx, option, text,
                             "channels,height,width as in 3,32,32 are needed, each up to 65536");
        shape[i] = (int64_t)number;
        at += i < 2;
    }
    memcpy(field, shape, sizeof shape);
    return MFM_OK;
}

static int set_choice(mfm_ctx *ctx, const mfm_option *option, const char *text, void *field)
{
    size_t count = 0;
    for (; option->choices[count]; count++)
        if (strcmp(option->choices[count], text) == 0) {
            *(int *)field = (int)count;
            return MFM_OK;
        }
    char near[MFM_SUGGEST_TEXT];
    return bad_value(ctx, option, text, mfm_suggest(text, option->choices, count, near));
}

static int add_string(mfm_ctx *ctx, const mfm_option *option, const char *text, bool first,
                      void *field)
{
    mfm_strings *list = field;
    if (first)
        list->count = 0;
    if (list->count == MFM_MAX_STRINGS)
        return bad_value(ctx, option, text, "it can be given 32 times at most");
    list->item[list->count++] = text;
    return MFM_OK;
}

int mfm_option_set(mfm_ctx *ctx, const mfm_option *option, const char *text, bool first,
                   void *field)
{
    switch (option->kind) {
    case MFM_OPTION_FLAG:
        *(bool *)field = true;
        return MFM_OK;
    case MFM_OPTION_STRING:
        *(const char **)field = text;
        return text[0] ? MFM_OK : bad_value(ctx, option, "''", "it cannot be empty");
    case MFM_OPTION_STRINGS:
        return add_string(ctx, option, text, first, field);
    case MFM_OPTION_UINT:
        return set_uint(ctx, option, text, field);
    case MFM_OPTION_REAL:
        return set_real(ctx, option, text, field);
    case MFM_OPTION_UINTS:
        return set_uints(ctx, option, text, field);
    case MFM_OPTION_SHAPE:
        return set_shape(ctx, option, text, field);
    case MFM_OPTION_CHOICE:
        return set_choice(ctx, option, text, field);
    }
    return MFM_OK;
}
