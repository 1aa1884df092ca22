#include "onnx/surgery/inject_info.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/proto/proto.h"
#include "onnx/proto/strmap.h"

enum { VERSION = 1 };

static const char *const position_names[MFM_POSITIONS] = {
    [MFM_AT_NORM] = "norm", [MFM_AT_CONV] = "conv", [MFM_AT_ACT] = "act", [MFM_AT_BLOCK] = "block"};

static const char *const modulation_names[MFM_MODULATIONS] = {
    [MFM_SCALED_SOFTMAX] = "scaled-softmax",
    [MFM_SCALED_SIGMOID] = "scaled-sigmoid",
    [MFM_FILM] = "film",
    [MFM_ATTENTION] = "attention",
    [MFM_GATED] = "gated",
};

const char *mfm_position_name(mfm_position position)
{
    return position_names[position];
}

const char *mfm_modulation_name(mfm_modulation modulation)
{
    return modulation_names[modulation];
}

bool mfm_modulation_shifts(mfm_modulation modulation)
{
    return modulation != MFM_ATTENTION && modulation != MFM_GATED;
}

bool mfm_modulation_starts_at_one(mfm_modulation modulation)
{
    return modulation != MFM_ATTENTION && modulation != MFM_GATED;
}

/* The index of text, or count. */
static int find_name(const char *const *names, int count, const char *text)
{
    int i = 0;
    while (i < count && strcmp(names[i], text) != 0)
        i++;
    return i;
}

int mfm_position_parse(mfm_ctx *ctx, const char *text, mfm_position *position)
{
    const int i = find_name(position_names, MFM_POSITIONS, text);
    if (i == MFM_POSITIONS)
        return mfm_fail(ctx, MFM_EINVAL, "unknown position: %s: one of norm, conv, act, block",
                        text);
    *position = (mfm_position)i;
    return MFM_OK;
}

int mfm_modulation_parse(mfm_ctx *ctx, const char *text, mfm_modulation *modulation)
{
    const int i = find_name(modulation_names, MFM_MODULATIONS, text);
    if (i == MFM_MODULATIONS)
        return mfm_fail(ctx, MFM_EINVAL,
                        "unknown modulation: %s: one of scaled-softmax, scaled-sigmoid, film, "
                        "attention, gated",
                        text);
    *modulation = (mfm_modulation)i;
    return MFM_OK;
}

static void free_list(mfm_ctx *ctx, char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mfm_free(ctx, list[i]);
    mfm_free(ctx, list);
}

void mfm_inject_info_free(mfm_ctx *ctx, mfm_inject_info *info)
{
    if (!info)
        return;
    for (size_t i = 0; i < info->n_sites; i++) {
        mfm_inject_site *site = &info->sites[i];
        mfm_free(ctx, site->layer);
        mfm_free(ctx, site->value);
        mfm_free(ctx, site->output);
        mfm_free(ctx, site->scale);
        mfm_free(ctx, site->shift);
    }
    mfm_free(ctx, info->sites);
    mfm_free(ctx, info->soft_label);
    mfm_free(ctx, info->gate);
    free_list(ctx, info->nodes, info->n_nodes);
    free_list(ctx, info->initializers, info->n_initializers);
    free_list(ctx, info->inputs, info->n_inputs);
    free_list(ctx, info->parameters, info->n_parameters);
    mfm_free(ctx, info);
}

static int damaged(mfm_ctx *ctx, const char *key, const char *rule)
{
    return mfm_fail(ctx, MFM_EDATA, "cannot read the metadata %s: %s: %s", MFM_INJECT_KEY, key,
                    rule);
}

static int read_text(mfm_ctx *ctx, const json_t *object, const char *key, char **text)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (!value)
        return damaged(ctx, key, "expected a string");
    *text = mfm_strdup(ctx, value);
    return *text ? MFM_OK : MFM_ENOMEM;
}

/* At most INT64_MAX. */
static int read_large(mfm_ctx *ctx, const json_t *object, const char *key, int64_t least,
                      int64_t *number)
{
    const json_t *value = json_object_get(object, key);
    *number = json_integer_value(value);
    if (!json_is_integer(value) || *number < least)
        return damaged(ctx, key, "expected a number in its range");
    return MFM_OK;
}

static int read_int(mfm_ctx *ctx, const json_t *object, const char *key, int64_t least,
                    int64_t *number)
{
    const int status = read_large(ctx, object, key, least, number);
    return !status && *number > INT_MAX ? damaged(ctx, key, "expected a number in its range")
                                        : status;
}

/* One of a list of names, as its index. */
static int read_choice(mfm_ctx *ctx, const json_t *object, const char *key,
                       const char *const *names, int count, int *choice)
{
    const char *value = json_string_value(json_object_get(object, key));
    *choice = value ? find_name(names, count, value) : count;
    return *choice < count ? MFM_OK : damaged(ctx, key, "not one of the names it can have");
}

static int read_list(mfm_ctx *ctx, const json_t *object, const char *key, char ***list,
                     size_t *count)
{
    const json_t *array = json_object_get(object, key);
    if (!json_is_array(array))
        return damaged(ctx, key, "expected a list of names");
    *list = mfm_alloc(ctx, json_array_size(array), sizeof **list);
    if (!*list)
        return MFM_ENOMEM;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *value = json_string_value(json_array_get(array, i));
        if (!value)
            return damaged(ctx, key, "expected a list of names");
        (*list)[i] = mfm_strdup(ctx, value);
        if (!(*list)[i])
            return MFM_ENOMEM;
        ++*count;
    }
    return MFM_OK;
}

static int read_site(mfm_ctx *ctx, const json_t *object, mfm_inject_site *site)
{
    int64_t rank = 0, axis = 1;
    int position = 0;
    int status = read_text(ctx, object, "layer", &site->layer);
    if (!status)
        status = read_text(ctx, object, "value", &site->value);
    if (!status)
        status = read_text(ctx, object, "output", &site->output);
    if (!status)
        status = read_text(ctx, object, "scale", &site->scale);
    if (!status)
        status = read_text(ctx, object, "shift", &site->shift);
    if (!status)
        status = read_choice(ctx, object, "position", position_names, MFM_POSITIONS, &position);
    if (!status)
        status = read_int(ctx, object, "channels", 1, &site->channels);
    if (!status)
        status = read_int(ctx, object, "rank", 2, &rank);
    site->position = (mfm_position)position;
    site->rank = (int)rank;
    if (!status && json_object_get(object, "axis"))
        status = read_int(ctx, object, "axis", 1, &axis);
    if (!status && axis != 1 && axis != rank - 1)
        status = damaged(ctx, "axis", "1, or the last");
    site->axis = (int)axis;
    site->renamed = json_is_true(json_object_get(object, "renamed"));
    return status;
}

/* What a site gives is its own, and no site reads it: sites form no chain and no circle. */
static int check_sites(mfm_ctx *ctx, const mfm_inject_info *info)
{
    mfm_strmap read, given;
    mfm_strmap_init(&read, ctx);
    mfm_strmap_init(&given, ctx);
    int status = MFM_OK;
    for (size_t i = 0; i < info->n_sites && !status; i++) {
        const mfm_inject_site *site = &info->sites[i];
        if (mfm_strmap_get(&read, site->value, NULL) || mfm_strmap_get(&given, site->output, NULL))
            status = damaged(ctx, "sites", "two modulate one value, or give the same");
        if (!status)
            status = mfm_strmap_set(&read, site->value, i);
        if (!status)
            status = mfm_strmap_set(&given, site->output, i);
    }
    for (size_t i = 0; i < info->n_sites && !status; i++)
        if (mfm_strmap_get(&read, info->sites[i].output, NULL))
            status = damaged(ctx, "sites", "one modulates what another gives, or its own result");
    mfm_strmap_clear(&read);
    mfm_strmap_clear(&given);
    return status;
}

static int read_sites(mfm_ctx *ctx, const json_t *root, mfm_inject_info *info)
{
    const json_t *array = json_object_get(root, "sites");
    const size_t count = json_array_size(array);
    if (count == 0)
        return damaged(ctx, "sites", "expected at least one");
    info->sites = mfm_alloc(ctx, count, sizeof *info->sites);
    if (!info->sites)
        return MFM_ENOMEM;
    info->n_sites = count;
    int status = MFM_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = read_site(ctx, json_array_get(array, i), &info->sites[i]);
    return status ? status : check_sites(ctx, info);
}

static int read_head(mfm_ctx *ctx, const json_t *root, mfm_inject_info *info)
{
    int64_t version = 0;
    int modulation = 0;
    int status = read_int(ctx, root, "version", 1, &version);
    if (!status && version > VERSION)
        status = mfm_fail(ctx, MFM_ENOTSUP, "cannot read the metadata %s: version %lld: up to %d",
                          MFM_INJECT_KEY, (long long)version, VERSION);
    if (!status)
        status =
            read_choice(ctx, root, "modulation", modulation_names, MFM_MODULATIONS, &modulation);
    if (!status)
        status = read_int(ctx, root, "classes", 1, &info->classes);
    if (!status)
        status = read_int(ctx, root, "hidden", 1, &info->hidden);
    if (!status)
        status = read_int(ctx, root, "hash_dim", 0, &info->hash_dim);
    if (!status)
        status = read_large(ctx, root, "ir_version", 0, &info->ir_version);
    if (!status)
        status = read_text(ctx, root, "soft_label", &info->soft_label);
    if (!status)
        status = read_text(ctx, root, "switch", &info->gate);
    info->version = (int)version;
    info->modulation = (mfm_modulation)modulation;
    return status;
}

static int read_root(mfm_ctx *ctx, const json_t *root, mfm_inject_info *info)
{
    int status = read_head(ctx, root, info);
    if (!status)
        status = read_sites(ctx, root, info);
    if (!status)
        status = read_list(ctx, root, "nodes", &info->nodes, &info->n_nodes);
    if (!status)
        status = read_list(ctx, root, "initializers", &info->initializers, &info->n_initializers);
    if (!status)
        status = read_list(ctx, root, "inputs", &info->inputs, &info->n_inputs);
    if (!status)
        status = read_list(ctx, root, "parameters", &info->parameters, &info->n_parameters);
    return status;
}

int mfm_inject_info_read(mfm_ctx *ctx, const mfm_model *model, mfm_inject_info **info)
{
    *info = NULL;
    const char *text = mfm_proto_metadata(model, MFM_INJECT_KEY);
    if (!text)
        return MFM_OK;
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return damaged(ctx, error.text, "expected JSON");
    mfm_inject_info *made = mfm_alloc(ctx, 1, sizeof *made);
    int status = made ? read_root(ctx, root, made) : MFM_ENOMEM;
    json_decref(root);
    if (status)
        mfm_inject_info_free(ctx, made);
    else
        *info = made;
    return status;
}

static json_t *list_json(char *const *list, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array; i++)
        if (json_array_append_new(array, json_string(list[i]))) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

static json_t *sites_json(const mfm_inject_info *info)
{
    json_t *array = json_array();
    for (size_t i = 0; i < info->n_sites && array; i++) {
        const mfm_inject_site *site = &info->sites[i];
        json_t *object = json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:b}", "layer", site->layer, "value",
            site->value, "output", site->output, "scale", site->scale, "shift", site->shift,
            "position", position_names[site->position], "channels", (json_int_t)site->channels,
            "rank", site->rank, "renamed", (int)site->renamed);
        if (object && site->axis != 1)
            json_object_set_new(object, "axis", json_integer(site->axis));
        if (json_array_append_new(array, object)) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static char *info_text(const mfm_inject_info *info)
{
    /* "o" takes each list over, also when packing fails. */
    json_t *root = json_pack(
        "{s:i, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "version", VERSION,
        "modulation", modulation_names[info->modulation], "classes", (json_int_t)info->classes,
        "hidden", (json_int_t)info->hidden, "hash_dim", (json_int_t)info->hash_dim, "ir_version",
        (json_int_t)info->ir_version, "soft_label", info->soft_label, "switch", info->gate, "sites",
        sites_json(info), "nodes", list_json(info->nodes, info->n_nodes), "initializers",
        list_json(info->initializers, info->n_initializers), "inputs",
        list_json(info->inputs, info->n_inputs), "parameters",
        list_json(info->parameters, info->n_parameters));
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

int mfm_inject_info_write(mfm_ctx *ctx, mfm_model *model, const mfm_inject_info *info)
{
    char *text = info_text(info);
    if (!text)
        return mfm_fail(ctx, MFM_EDATA,
                        "cannot write the metadata %s: a name is not UTF-8, or memory ran out",
                        MFM_INJECT_KEY);
    const int status = mfm_proto_set_metadata(model, MFM_INJECT_KEY, text);
    free(text); /* jansson's */
    return status;
}
