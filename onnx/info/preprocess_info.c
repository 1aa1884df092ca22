#include "onnx/info/preprocess_info.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/import/import.h"
#include "onnx/info/array_info.h"
#include "onnx/proto/proto.h"

enum { VERSION = 1, MOST_SIDE = 1 << 16, FEWEST_DIGITS = 15, MOST_DIGITS = 17 };

/* ---- writing ---- */

static json_t *numbers(const double *values, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_real(values[i]));
    return list;
}

/* Digits that bring every number back bit for bit: 0.286 stays 0.286 where it can. */
static size_t digits_of(const mfm_normalisation *n)
{
    size_t digits = FEWEST_DIGITS;
    for (int c = 0; c < n->channels; c++)
        for (int k = 0; k < 2; k++) {
            const double number = k ? n->mean[c] : n->deviation[c];
            for (char text[64]; digits < MOST_DIGITS; digits++) {
                snprintf(text, sizeof text, "%.*g", (int)digits, number);
                if (strtod(text, NULL) == number)
                    break;
            }
        }
    return digits;
}

static const char *colours(const mfm_preprocess *p)
{
    return p->source_channels == 1 ? "grey" : p->source_channels == 3 ? "rgb" : "other";
}

static json_t *image_json(const mfm_preprocess *p, bool rows)
{
    const mfm_normalisation *n = &p->normalisation;
    json_t *root =
        json_pack("{s:i, s:[i,i,i], s:s, s:[i,i,i], s:s, s:o, s:o, s:o}", "version", VERSION,
                  "input", p->channels, p->height, p->width, "layout", rows ? "NHWC" : "NCHW",
                  "images", p->source_channels, p->source_height, p->source_width, "colours",
                  colours(p), "scale", json_real(n->scale), "mean", numbers(n->mean, n->channels),
                  "deviation", numbers(n->deviation, n->channels));
    if (root && p->resizes)
        json_object_set_new(root, "resize", json_pack("[i,i]", p->full_height, p->full_width));
    return root;
}

int mfm_preprocess_info_text(mfm_ctx *ctx, const mfm_preprocess *p, bool rows, char **text)
{
    json_t *root = p->array ? mfm_array_info_json(p->array) : image_json(p, rows);
    const size_t digits = p->array ? MOST_DIGITS : digits_of(&p->normalisation);
    char *dump = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(digits)) : NULL;
    *text = dump ? mfm_strdup(ctx, dump) : NULL;
    free(dump); /* jansson's */
    json_decref(root);
    return *text ? MFM_OK : mfm_fail(ctx, MFM_ENOMEM, "metadata: out of memory");
}

int mfm_preprocess_info_write(mfm_ctx *ctx, mfm_model *model, const mfm_preprocess *preprocess)
{
    char *text;
    int status = mfm_preprocess_info_text(ctx, preprocess, mfm_model_reads_rows(model), &text);
    if (!status)
        status = mfm_proto_set_metadata(model, MFM_PREPROCESS_KEY, text);
    mfm_free(ctx, text);
    return status;
}

/* ---- reading ---- */

bool mfm_preprocess_info_told(const mfm_model *model)
{
    return mfm_proto_metadata(model, MFM_PREPROCESS_KEY) != NULL;
}

static int bad(mfm_ctx *ctx, const char *field, const char *rule)
{
    return mfm_fail(ctx, MFM_EDATA, "%s: %s", field, rule);
}

static int read_sizes(mfm_ctx *ctx, const json_t *root, const char *key, int sizes[3])
{
    const json_t *list = json_object_get(root, key);
    for (size_t i = 0; i < 3; i++) {
        const json_t *item = json_array_get(list, i);
        const json_int_t size = json_integer_value(item);
        if (json_array_size(list) != 3 || !json_is_integer(item) || size < 1 || size > MOST_SIDE)
            return bad(ctx, key, "a list of channels, height and width");
        sizes[i] = (int)size;
    }
    return sizes[0] > MFM_DATA_CHANNELS ? bad(ctx, key, "up to 4 channels") : MFM_OK;
}

/* `images` may be missing: they had the input's form. */
static int read_input(mfm_ctx *ctx, const json_t *root, mfm_preprocess_info *info)
{
    int input[3], images[3];
    int status = read_sizes(ctx, root, "input", input);
    if (!status && json_object_get(root, "images"))
        status = read_sizes(ctx, root, "images", images);
    else
        memcpy(images, input, sizeof images);
    if (status)
        return status;
    if ((images[0] != input[0] && images[0] != 1) || images[1] > input[1] || images[2] > input[2])
        return bad(ctx, "images", "the form of the input, or grey, or smaller");
    info->channels = input[0];
    info->height = input[1];
    info->width = input[2];
    info->image_channels = images[0];
    info->image_height = images[1];
    info->image_width = images[2];
    return MFM_OK;
}

/* May be missing: the images had the model's size. */
static int read_resize(mfm_ctx *ctx, const json_t *root, mfm_preprocess_info *info)
{
    const json_t *list = json_object_get(root, "resize");
    if (!list)
        return MFM_OK;
    const json_int_t height = json_integer_value(json_array_get(list, 0));
    const json_int_t width = json_integer_value(json_array_get(list, 1));
    if (json_array_size(list) != 2 || height < info->height || width < info->width ||
        height > MOST_SIDE || width > MOST_SIDE)
        return bad(ctx, "resize", "a list of height and width, at least those of the input");
    info->full_height = (int)height;
    info->full_width = (int)width;
    return MFM_OK;
}

static int read_numbers(mfm_ctx *ctx, const json_t *root, const char *key, int count,
                        double *values)
{
    const json_t *list = json_object_get(root, key);
    if (!json_is_array(list) || json_array_size(list) != (size_t)count)
        return bad(ctx, key, "a list of numbers, one for each channel of the input");
    for (int i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        if (!json_is_number(item))
            return bad(ctx, key, "a list of numbers");
        values[i] = json_number_value(item);
    }
    return MFM_OK;
}

static int read_root(mfm_ctx *ctx, const json_t *root, mfm_preprocess_info *info)
{
    const json_int_t version = json_integer_value(json_object_get(root, "version"));
    if (mfm_array_info_is(root))
        return mfm_fail(ctx, MFM_ENOTSUP, "the model was trained on arrays of numbers, no images");
    if (version < 1)
        return bad(ctx, "version", "a number from 1 up");
    if (version > VERSION)
        return mfm_fail(ctx, MFM_ENOTSUP, "version %lld: up to %d can be read", (long long)version,
                        VERSION);
    const char *layout = json_string_value(json_object_get(root, "layout"));
    if (!layout || (strcmp(layout, "NCHW") != 0 && strcmp(layout, "NHWC") != 0))
        return bad(ctx, "layout", "NCHW or NHWC");
    int status = read_input(ctx, root, info);
    if (!status)
        status = read_resize(ctx, root, info);
    if (status)
        return status;
    mfm_normalisation *n = &info->normalisation;
    n->channels = info->channels;
    if (!json_is_number(json_object_get(root, "scale")))
        return bad(ctx, "scale", "a number");
    n->scale = json_number_value(json_object_get(root, "scale"));
    status = read_numbers(ctx, root, "mean", n->channels, n->mean);
    if (!status)
        status = read_numbers(ctx, root, "deviation", n->channels, n->deviation);
    return status ? status : mfm_normalisation_check(ctx, n);
}

int mfm_preprocess_info_read(mfm_ctx *ctx, const mfm_model *model, mfm_preprocess_info *info,
                             bool *found)
{
    *info = (mfm_preprocess_info){.channels = 0};
    const char *text = mfm_proto_metadata(model, MFM_PREPROCESS_KEY);
    *found = text != NULL;
    if (!text)
        return MFM_OK;
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    const int status = json_is_object(root) ? read_root(ctx, root, info)
                       : root               ? mfm_fail(ctx, MFM_EDATA, "an object is required")
                                            : mfm_fail(ctx, MFM_EDATA, "no JSON: %s", error.text);
    json_decref(root);
    return status
               ? mfm_fail_in(ctx, status, "%s: metadata " MFM_PREPROCESS_KEY, mfm_model_path(model))
               : MFM_OK;
}
