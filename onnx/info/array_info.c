#include "onnx/info/array_info.h"

#include <jansson.h>

#include "onnx/import/import.h"
#include "onnx/info/preprocess_info.h"
#include "onnx/proto/proto.h"

/* That of images is 1: who reads no more refuses arrays. */
enum { VERSION = 2 };

/* ---- writing ---- */

static json_t *list_of(const double *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_real(values[i]));
    return list;
}

json_t *mfm_array_info_json(const mfm_array_form *form)
{
    json_t *shape = json_array();
    for (int i = 0; i < form->row.rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)form->row.dim[i]));
    json_t *root = json_pack("{s:i, s:o}", "version", VERSION, "numbers", shape);
    if (!root || !form->mean)
        return root;
    const size_t length = mfm_array_form_length(form);
    json_object_set_new(root, "axis", json_integer(form->axis + 1));
    json_object_set_new(root, "mean", list_of(form->mean, length));
    json_object_set_new(root, "deviation", list_of(form->deviation, length));
    return root;
}

/* ---- reading ---- */

bool mfm_array_info_is(const json_t *root)
{
    return json_object_get(root, "numbers") != NULL;
}

static int bad(mfm_ctx *ctx, const char *field, const char *rule)
{
    return mfm_fail(ctx, MFM_EDATA, "%s: %s", field, rule);
}

static int read_shape(mfm_ctx *ctx, const json_t *root, mfm_shape *row)
{
    const json_t *list = json_object_get(root, "numbers");
    if (json_array_size(list) < 1 || json_array_size(list) >= MFM_MAX_RANK)
        return bad(ctx, "numbers", "a list of 1 to 5 lengths");
    *row = (mfm_shape){.rank = (int)json_array_size(list)};
    for (int i = 0; i < row->rank; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        row->dim[i] = (int64_t)json_integer_value(item);
        if (!json_is_integer(item) || row->dim[i] < 1 || row->dim[i] > INT32_MAX)
            return bad(ctx, "numbers", "a list of lengths, whole numbers from 1 up");
    }
    return mfm_shape_check(ctx, row, "numbers");
}

static int read_list(mfm_ctx *ctx, const json_t *root, const char *key, size_t count, double *to)
{
    const json_t *list = json_object_get(root, key);
    if (json_array_size(list) != count)
        return bad(ctx, key, "a list of numbers, one for each index along the axis");
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_number(item))
            return bad(ctx, key, "a list of numbers");
        to[i] = json_number_value(item);
    }
    return MFM_OK;
}

static int read_scale(mfm_ctx *ctx, const json_t *root, mfm_array_form *form)
{
    const json_t *axis = json_object_get(root, "axis");
    if (!axis)
        return json_object_get(root, "mean") || json_object_get(root, "deviation")
                   ? bad(ctx, "axis", "missing: mean and deviation go along it")
                   : MFM_OK;
    if (!json_is_integer(axis) || json_integer_value(axis) < 1 ||
        json_integer_value(axis) > form->row.rank)
        return bad(ctx, "axis", "one of the input's, from 1 up");
    form->axis = (int)json_integer_value(axis) - 1;
    const size_t length = mfm_array_form_length(form);
    if (json_array_size(json_object_get(root, "mean")) != length)
        return bad(ctx, "mean", "a list of numbers, one for each index along the axis");
    int status = mfm_array_form_make_scale(ctx, form);
    if (!status)
        status = read_list(ctx, root, "mean", length, form->mean);
    if (!status)
        status = read_list(ctx, root, "deviation", length, form->deviation);
    return status ? status : mfm_array_form_check(ctx, form);
}

static int read_root(mfm_ctx *ctx, const json_t *root, bool rows, mfm_array_form *form)
{
    const json_int_t version = json_integer_value(json_object_get(root, "version"));
    mfm_shape row;
    if (version < 1)
        return bad(ctx, "version", "a number from 1 up");
    if (version > VERSION)
        return mfm_fail(ctx, MFM_ENOTSUP, "version %lld: up to %d can be read", (long long)version,
                        VERSION);
    const int status = read_shape(ctx, root, &row);
    if (status)
        return status;
    *form = mfm_array_form_of(&row, rows);
    return read_scale(ctx, root, form);
}

int mfm_array_info_read(mfm_ctx *ctx, const mfm_model *model, mfm_array_form *form, bool *found)
{
    const char *text = mfm_proto_metadata(model, MFM_PREPROCESS_KEY);
    json_t *root = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    *form = (mfm_array_form){.axis = 0};
    *found = mfm_array_info_is(root);
    const int status = *found ? read_root(ctx, root, mfm_model_reads_rows(model), form) : MFM_OK;
    json_decref(root);
    return status
               ? mfm_fail_in(ctx, status, "%s: metadata " MFM_PREPROCESS_KEY, mfm_model_path(model))
               : MFM_OK;
}
