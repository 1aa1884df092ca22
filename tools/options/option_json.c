#include "tools/options/option_json.h"

#include <stdlib.h>
#include <string.h>

#include "tools/options/option_parts.h"
#include "tools/show/print_json.h"

static json_t *uints_to_json(const mfm_uints *list)
{
    json_t *array = json_array();
    for (int i = 0; i < list->count; i++)
        json_array_append_new(array, json_integer(list->item[i]));
    return array;
}

static json_t *strings_to_json(const mfm_strings *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, mfm_json_exact(list->item[i]));
    return array;
}

json_t *mfm_option_to_json(const mfm_option *option, const void *field)
{
    const char *text;
    const int64_t *shape = field;
    switch (option->kind) {
    case MFM_OPTION_FLAG:
        return json_boolean(*(const bool *)field);
    case MFM_OPTION_STRING:
        text = *(const char *const *)field;
        return text ? mfm_json_exact(text) : json_null();
    case MFM_OPTION_STRINGS:
        return strings_to_json(field);
    case MFM_OPTION_UINT:
        return json_integer((json_int_t) * (const uint64_t *)field);
    case MFM_OPTION_REAL:
        return json_real(*(const double *)field);
    case MFM_OPTION_UINTS:
        return uints_to_json(field);
    case MFM_OPTION_SHAPE:
        return json_pack("[I,I,I]", (json_int_t)shape[0], (json_int_t)shape[1],
                         (json_int_t)shape[2]);
    case MFM_OPTION_CHOICE:
        return json_string(option->choices[*(const int *)field]);
    }
    return NULL;
}

json_t *mfm_options_to_json(const mfm_option_table *table, const void *values)
{
    json_t *object = json_object();
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++)
        if (entry.option->scope != MFM_OPTION_LOCAL && !entry.idle &&
            json_object_set_new(
                object, entry.option->name,
                mfm_option_to_json(entry.option, (const char *)values + entry.offset))) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static int add_strings(mfm_ctx *ctx, const json_t *json, mfm_strings *list,
                       mfm_arguments *arguments)
{
    list->count = 0;
    for (size_t i = 0; i < json_array_size(json) && i < MFM_MAX_STRINGS; i++) {
        char *text = NULL;
        const int status = mfm_json_exact_text(ctx, json_array_get(json, i), &text);
        char *copy = text ? mfm_arguments_own(ctx, arguments, text) : NULL;
        mfm_free(ctx, text);
        if (!copy)
            return status ? status : MFM_ENOMEM;
        list->item[list->count++] = copy;
    }
    return MFM_OK;
}

/* The others are set from the text that the command line would have: one reader for both. */
static int set_from_text(mfm_ctx *ctx, const mfm_option *option, const json_t *json, void *field,
                         mfm_arguments *arguments)
{
    char *text = NULL;
    int status = MFM_OK;
    if (json_is_integer(json))
        text = mfm_format(ctx, "%lld", (long long)json_integer_value(json));
    else if (json_is_real(json))
        text = mfm_format(ctx, "%.17g", json_real_value(json));
    else
        status = mfm_json_exact_text(ctx, json, &text);
    if (!text)
        return status ? status : MFM_ENOMEM;
    char *copy = mfm_arguments_own(ctx, arguments, text);
    mfm_free(ctx, text);
    return copy ? mfm_option_set(ctx, option, copy, true, field) : MFM_ENOMEM;
}

static int option_from_json(mfm_ctx *ctx, const mfm_option *option, const json_t *json, void *field,
                            mfm_arguments *arguments)
{
    mfm_uints *list = field;
    switch (option->kind) {
    case MFM_OPTION_FLAG:
        *(bool *)field = json_is_true(json);
        return json_is_boolean(json) ? MFM_OK : MFM_EDATA;
    case MFM_OPTION_STRINGS:
        return add_strings(ctx, json, field, arguments);
    case MFM_OPTION_UINTS:
        list->count = 0;
        for (size_t i = 0; i < json_array_size(json) && i < MFM_MAX_UINTS; i++)
            list->item[list->count++] = (uint32_t)json_integer_value(json_array_get(json, i));
        return json_is_array(json) ? MFM_OK : MFM_EDATA;
    case MFM_OPTION_SHAPE:
        for (size_t i = 0; i < 3; i++)
            ((int64_t *)field)[i] = json_integer_value(json_array_get(json, i));
        return json_array_size(json) == 3 ? MFM_OK : MFM_EDATA;
    default:
        if (option->kind == MFM_OPTION_STRING && json_is_null(json)) {
            *(const char **)field = NULL;
            return MFM_OK;
        }
        return set_from_text(ctx, option, json, field, arguments);
    }
}

static int fail_differs(mfm_ctx *ctx, const mfm_option *option, const json_t *now,
                        const json_t *then)
{
    const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9);
    char *given = json_dumps(now, flags);
    char *stored = json_dumps(then, flags);
    const int status =
        mfm_fail(ctx, MFM_EINVAL,
                 "resume: --%s: %.80s: the run began with %.80s: drop the option, or start a new "
                 "run with --run DIR",
                 option->name, given ? given : "?", stored ? stored : "?");
    free(given);
    free(stored);
    return status;
}

/* A relative place as seen from another working folder than where it was named: from `folder`. */
static int move_path(mfm_ctx *ctx, const mfm_option *option, const char *folder, void *field,
                     mfm_arguments *arguments)
{
    if (!folder || option->path == MFM_OPTION_NO_PATH)
        return MFM_OK;
    const char *text = *(const char **)field;
    if (!text)
        return MFM_OK;
    const char *path = text;
    if (option->path == MFM_OPTION_KIND_PATH)
        path = strchr(text, ':') ? strchr(text, ':') + 1 : "-";
    if (path[0] == '/' || strcmp(path, "-") == 0)
        return MFM_OK;
    char *moved = mfm_format(ctx, "%.*s%s/%s", (int)(path - text), text, folder, path);
    char *copy = moved ? mfm_arguments_own(ctx, arguments, moved) : NULL;
    mfm_free(ctx, moved);
    if (!copy)
        return MFM_ENOMEM;
    *(const char **)field = copy;
    return MFM_OK;
}

static int adopt(mfm_ctx *ctx, const mfm_option *option, bool given, const json_t *then,
                 const char *folder, void *field, mfm_arguments *arguments)
{
    if (!then)
        return mfm_fail(ctx, MFM_EDATA, "resume: the run does not record its --%s", option->name);
    if (!given) {
        int status = option_from_json(ctx, option, then, field, arguments);
        if (!status)
            status = move_path(ctx, option, folder, field, arguments);
        return status == MFM_ENOMEM || status == MFM_OK
                   ? status
                   : mfm_fail(ctx, MFM_EDATA, "resume: the run's --%s is damaged", option->name);
    }
    if (option->scope == MFM_OPTION_CHANGEABLE)
        return MFM_OK;
    json_t *now = mfm_option_to_json(option, field);
    if (!now)
        return mfm_fail(ctx, MFM_ENOMEM, "resume: out of memory");
    const int status = json_equal(now, then) ? MFM_OK : fail_differs(ctx, option, now, then);
    json_decref(now);
    return status;
}

int mfm_options_adopt(mfm_ctx *ctx, const mfm_option_table *table, const json_t *run,
                      const char *folder, void *values, mfm_arguments *arguments)
{
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++) {
        if (entry.option->scope == MFM_OPTION_LOCAL || entry.idle)
            continue;
        const int status =
            adopt(ctx, entry.option, arguments->given[i], json_object_get(run, entry.option->name),
                  folder, (char *)values + entry.offset, arguments);
        if (status)
            return status;
    }
    return MFM_OK;
}

static bool knows(const mfm_option_table *table, const char *name)
{
    mfm_option_entry entry;
    for (size_t i = 0; mfm_option_at(table, i, &entry); i++)
        if (strcmp(entry.option->name, name) == 0)
            return true;
    return false;
}

const char *mfm_options_unknown(const mfm_option_table *table, const json_t *run)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)run, name, value) /* which it takes of objects that may change */
    {
        if (!json_is_null(value) && !knows(table, name))
            return name;
    }
    return NULL;
}
