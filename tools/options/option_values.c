#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/proto/nearest.h"
#include "tools/options/option_parts.h"

/* A value as messages show it: nothing at all would read like a slip. */
static const char *shown(const char *text)
{
    return text[0] ? text : "''";
}

static int bad_value(mfm_ctx *ctx, const mfm_option *option, const char *text, const char *rule)
{
    return mfm_fail(ctx, MFM_EUSAGE, "--%s: %.80s: %s", option->name, shown(text), rule);
}

/* The largest number an unsigned option takes: a limit of 2^63 as a double stands for INT64_MAX. */
static uint64_t uint_limit(const mfm_option *option)
{
    return option->max >= (double)INT64_MAX ? INT64_MAX : (uint64_t)option->max;
}

static int bad_uint(mfm_ctx *ctx, const mfm_option *option, const char *text)
{
    return mfm_fail(ctx, MFM_EUSAGE,
                    "--%s: %.80s: expected a whole number from %" PRIu64 " to %" PRIu64,
                    option->name, shown(text), (uint64_t)option->min, uint_limit(option));
}

static int bad_real(mfm_ctx *ctx, const mfm_option *option, const char *text)
{
    return mfm_fail(ctx, MFM_EUSAGE, "--%s: %.80s: expected a number from %.15g to %.15g",
                    option->name, shown(text), option->min, option->max);
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
        number > uint_limit(option))
        return bad_uint(ctx, option, text);
    *(uint64_t *)field = number;
    return MFM_OK;
}

static int set_real(mfm_ctx *ctx, const mfm_option *option, const char *text, void *field)
{
    char *end;
    const double number = strtod(text, &end);
    const bool whole = text[0] != '\0' && text[strspn(text, " \t\n")] == text[0] && *end == '\0';
    if (!whole || !isfinite(number) || number < option->min || number > option->max)
        return bad_real(ctx, option, text);
    *(double *)field = number;
    return MFM_OK;
}

static int set_uints(mfm_ctx *ctx, const mfm_option *option, const char *text, void *field)
{
    mfm_uints list = {.count = 0};
    const char *at = strcmp(text, "none") == 0 ? "" : text;
    const char *rule = "expected none, or up to 16 whole numbers, as in 160,180";
    if (!text[0])
        return bad_value(ctx, option, text, rule);
    while (*at) {
        uint64_t number;
        if (list.count == MFM_MAX_UINTS || !read_uint(at, &at, &number) || number > UINT32_MAX ||
            (*at == ',' && !at[1]) || (*at && *at != ','))
            return bad_value(ctx, option, text, rule);
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
                             "expected channels,height,width, as in 3,32,32, each up to 65536");
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
    return mfm_fail(ctx, MFM_EUSAGE, "--%s: unknown value %.80s%s", option->name, shown(text),
                    mfm_suggest(text, option->choices, count, near));
}

static int add_string(mfm_ctx *ctx, const mfm_option *option, const char *text, bool first,
                      void *field)
{
    mfm_strings *list = field;
    if (first)
        list->count = 0;
    if (list->count == MFM_MAX_STRINGS)
        return bad_value(ctx, option, text, "it can be given 256 times at most");
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
        return text[0] ? MFM_OK : bad_value(ctx, option, text, "it must not be empty");
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
