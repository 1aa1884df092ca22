#include "onnx/info/class_info.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "onnx/proto/proto.h"

enum { VERSION = 1, MOST_CLASSES = UINT16_MAX + 1, HASH_TEXT = 17 };

static const char *const meta_names[] = {
    [MFM_META_DISJOINT] = "disjoint", [MFM_META_COPY] = "copy"};
static const char *const cap_names[] = {
    [MFM_META_CAP_PER_CLASS] = "per-class", [MFM_META_CAP_RAREST] = "rarest"};

/* ---- writing ---- */

static json_t *names_json(const mfm_dataset *dataset)
{
    json_t *list = json_array();
    for (int c = 0; c < dataset->classes; c++) {
        char label[16];
        snprintf(label, sizeof label, "%d", c + dataset->first_label);
        json_t *name = json_string(dataset->class_names[c]);
        json_array_append_new(list, name ? name : json_string(label));
    }
    return list;
}

static json_t *counts_json(const mfm_split *split)
{
    json_t *list = json_array();
    for (int c = 0; c < split->classes; c++)
        json_array_append_new(list, json_integer(split->train_per_class[c]));
    return list;
}

static json_t *split_json(const mfm_split_options *o, const mfm_split *split)
{
    char hash[HASH_TEXT];
    snprintf(hash, sizeof hash, "%016" PRIx64, split->hash);
    json_t *object = json_pack("{s:s, s:f, s:I, s:I, s:s, s:I}", "hash", hash, "imbalance",
                               o->imbalance, "max_per_class", (json_int_t)o->max_per_class,
                               "meta_per_class", (json_int_t)o->meta_per_class, "meta_from",
                               meta_names[o->meta_from], "seed", (json_int_t)o->seed);
    if (o->meta_cap != MFM_META_CAP_PER_CLASS)
        json_object_set_new(object, "meta_cap", json_string(cap_names[o->meta_cap]));
    if (o->validation_per_class)
        json_object_set_new(object, "validation", json_integer(o->validation_per_class));
    else if (o->validation_share > 0)
        json_object_set_new(object, "validation", json_real(o->validation_share));
    return object;
}

/* Takes root over. */
static int write(mfm_ctx *ctx, mfm_model *model, json_t *root)
{
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    const int status = text ? mfm_proto_set_metadata(model, MFM_CLASSES_KEY, text)
                            : mfm_fail(ctx, MFM_ENOMEM, "metadata: out of memory");
    free(text); /* jansson's */
    json_decref(root);
    return status;
}

int mfm_class_info_write(mfm_ctx *ctx, mfm_model *model, const mfm_dataset *dataset,
                         const mfm_split_options *options, const mfm_split *split)
{
    return write(ctx, model,
                 json_pack("{s:i, s:o, s:i, s:o, s:o}", "version", VERSION, "names",
                           names_json(dataset), "first_label", dataset->first_label, "train",
                           counts_json(split), "split", split_json(options, split)));
}

/* ---- reading ---- */

static int bad(mfm_ctx *ctx, const char *field, const char *rule)
{
    return mfm_fail(ctx, MFM_EDATA, "%s: %s", field, rule);
}

int mfm_class_info_write_names(mfm_ctx *ctx, mfm_model *model, const char *const *names,
                               size_t classes)
{
    json_t *list = json_array();
    for (size_t i = 0; i < classes; i++)
        if (!mfm_utf8_is_name(names[i]) || json_array_append_new(list, json_string(names[i]))) {
            json_decref(list);
            return mfm_fail(ctx, MFM_EDATA,
                            "name of class %zu: UTF-8 without control characters is required", i);
        }
    return write(ctx, model, json_pack("{s:i, s:o}", "version", VERSION, "names", list));
}

static int read_names(mfm_ctx *ctx, const json_t *root, mfm_class_info *info)
{
    const json_t *list = json_object_get(root, "names");
    const size_t count = json_array_size(list);
    if (count < 1 || count > MOST_CLASSES)
        return bad(ctx, "names", "a list of 1 to 65536 names");
    info->names = mfm_alloc(ctx, count, sizeof *info->names);
    if (!info->names)
        return MFM_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || !mfm_utf8_is_name(name))
            return bad(ctx, "names", "each a text without control characters");
        info->names[i] = mfm_strdup(ctx, name);
        if (!info->names[i])
            return MFM_ENOMEM;
        info->classes++;
    }
    return MFM_OK;
}

static bool is_count(const json_t *value, json_int_t most)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= most;
}

static int read_train(mfm_ctx *ctx, const json_t *root, mfm_class_info *info)
{
    const json_t *list = json_object_get(root, "train");
    if (!list)
        return MFM_OK;
    if (json_array_size(list) != (size_t)info->classes)
        return bad(ctx, "train", "a list of numbers of images, one for each name");
    info->train = mfm_alloc(ctx, (size_t)info->classes, sizeof *info->train);
    if (!info->train)
        return MFM_ENOMEM;
    for (int c = 0; c < info->classes; c++) {
        const json_t *count = json_array_get(list, (size_t)c);
        if (!is_count(count, UINT32_MAX))
            return bad(ctx, "train", "whole numbers from 0 up");
        info->train[c] = (uint32_t)json_integer_value(count);
    }
    return MFM_OK;
}

static bool read_hash(const json_t *split, uint64_t *hash)
{
    const char *text = json_string_value(json_object_get(split, "hash"));
    char *end;
    if (!text || strlen(text) != HASH_TEXT - 1 || strspn(text, "0123456789abcdef") != HASH_TEXT - 1)
        return false;
    *hash = strtoull(text, &end, 16);
    return true;
}

/* What a split need not tell. */
static bool read_further(const json_t *split, mfm_split_options *o)
{
    const json_t *cap = json_object_get(split, "meta_cap");
    const json_t *validation = json_object_get(split, "validation");
    const char *name = json_string_value(cap);
    o->meta_cap = name && strcmp(name, cap_names[MFM_META_CAP_RAREST]) == 0
                      ? MFM_META_CAP_RAREST
                      : MFM_META_CAP_PER_CLASS;
    if (cap && (!name || strcmp(name, cap_names[o->meta_cap]) != 0))
        return false;
    if (is_count(validation, UINT32_MAX)) {
        o->validation_per_class = (uint32_t)json_integer_value(validation);
        return o->validation_per_class > 0;
    }
    o->validation_share = json_real_value(validation);
    return !validation || (o->validation_share > 0 && o->validation_share < 1);
}

static int read_split(mfm_ctx *ctx, const json_t *root, mfm_class_info *info)
{
    const json_t *split = json_object_get(root, "split");
    if (!split)
        return MFM_OK;
    const json_t *imbalance = json_object_get(split, "imbalance");
    const json_t *most = json_object_get(split, "max_per_class");
    const json_t *meta = json_object_get(split, "meta_per_class");
    const json_t *seed = json_object_get(split, "seed");
    const char *from = json_string_value(json_object_get(split, "meta_from"));
    const bool disjoint = from && strcmp(from, meta_names[MFM_META_DISJOINT]) == 0;
    const bool copy = from && strcmp(from, meta_names[MFM_META_COPY]) == 0;
    if (!read_hash(split, &info->hash) || !json_is_number(imbalance) ||
        !(json_number_value(imbalance) >= 1) || !is_count(most, UINT32_MAX) ||
        !is_count(meta, UINT32_MAX) || !is_count(seed, INT64_MAX) || !(disjoint || copy))
        return bad(ctx, "split",
                   "hash, imbalance, max_per_class, meta_per_class, meta_from and seed");
    info->split = (mfm_split_options){.imbalance = json_number_value(imbalance),
                                      .max_per_class = (uint32_t)json_integer_value(most),
                                      .meta_per_class = (uint32_t)json_integer_value(meta),
                                      .meta_from = disjoint ? MFM_META_DISJOINT : MFM_META_COPY,
                                      .seed = (uint64_t)json_integer_value(seed)};
    if (!read_further(split, &info->split))
        return bad(ctx, "split",
                   "meta_cap is per-class or rarest, validation a number of images or a share");
    info->has_split = true;
    return MFM_OK;
}

static int read_root(mfm_ctx *ctx, const json_t *root, mfm_class_info *info)
{
    const json_int_t version = json_integer_value(json_object_get(root, "version"));
    const json_t *first = json_object_get(root, "first_label");
    if (version < 1)
        return bad(ctx, "version", "a number from 1 up");
    if (version > VERSION)
        return mfm_fail(ctx, MFM_ENOTSUP, "version %lld: up to %d can be read", (long long)version,
                        VERSION);
    if (first && !is_count(first, UINT16_MAX))
        return bad(ctx, "first_label", "a whole number from 0 to 65535");
    info->first_label = (int)json_integer_value(first);
    int status = read_names(ctx, root, info);
    if (!status)
        status = read_train(ctx, root, info);
    return status ? status : read_split(ctx, root, info);
}

int mfm_class_info_read(mfm_ctx *ctx, const mfm_model *model, mfm_class_info **result)
{
    *result = NULL;
    const char *text = mfm_proto_metadata(model, MFM_CLASSES_KEY);
    if (!text)
        return MFM_OK;
    mfm_class_info *info = mfm_alloc(ctx, 1, sizeof *info);
    if (!info)
        return MFM_ENOMEM;
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    const int status = json_is_object(root) ? read_root(ctx, root, info)
                       : root               ? mfm_fail(ctx, MFM_EDATA, "an object is required")
                                            : mfm_fail(ctx, MFM_EDATA, "no JSON: %s", error.text);
    json_decref(root);
    if (!status) {
        *result = info;
        return MFM_OK;
    }
    mfm_class_info_free(ctx, info);
    return mfm_fail_in(ctx, status, "%s: metadata " MFM_CLASSES_KEY, mfm_model_path(model));
}

void mfm_class_info_free(mfm_ctx *ctx, mfm_class_info *info)
{
    if (!info)
        return;
    for (int c = 0; c < info->classes; c++)
        mfm_free(ctx, info->names[c]);
    mfm_free(ctx, info->names);
    mfm_free(ctx, info->train);
    mfm_free(ctx, info);
}
