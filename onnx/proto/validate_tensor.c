#include "onnx/proto/validate.h"

enum { TYPE_UNDEFINED = 0 };

/* The typed array that holds an element type when raw_data does not. */
enum storage { IN_NONE, IN_FLOAT, IN_INT32, IN_INT64, IN_DOUBLE, IN_UINT64, IN_STRING };

typedef struct element {
    unsigned char bits, storage, parts; /* parts: numbers in the array for one element */
} element;

/* By TensorProto.DataType. The types of 2 and 4 bits lie packed in bytes, also in int32_data. */
static const element elements[] = {
    [1] = {32, IN_FLOAT, 1},    /* float */
    [2] = {8, IN_INT32, 1},     /* uint8 */
    [3] = {8, IN_INT32, 1},     /* int8 */
    [4] = {16, IN_INT32, 1},    /* uint16 */
    [5] = {16, IN_INT32, 1},    /* int16 */
    [6] = {32, IN_INT32, 1},    /* int32 */
    [7] = {64, IN_INT64, 1},    /* int64 */
    [8] = {0, IN_STRING, 1},    /* string */
    [9] = {8, IN_INT32, 1},     /* bool */
    [10] = {16, IN_INT32, 1},   /* float16 */
    [11] = {64, IN_DOUBLE, 1},  /* double */
    [12] = {32, IN_UINT64, 1},  /* uint32 */
    [13] = {64, IN_UINT64, 1},  /* uint64 */
    [14] = {64, IN_FLOAT, 2},   /* complex64 */
    [15] = {128, IN_DOUBLE, 2}, /* complex128 */
    [16] = {16, IN_INT32, 1},   /* bfloat16 */
    [17] = {8, IN_INT32, 1},    /* float8e4m3fn */
    [18] = {8, IN_INT32, 1},    /* float8e4m3fnuz */
    [19] = {8, IN_INT32, 1},    /* float8e5m2 */
    [20] = {8, IN_INT32, 1},    /* float8e5m2fnuz */
    [21] = {4, IN_INT32, 1},    /* uint4 */
    [22] = {4, IN_INT32, 1},    /* int4 */
    [23] = {4, IN_INT32, 1},    /* float4e2m1 */
    [24] = {8, IN_INT32, 1},    /* float8e8m0 */
    [25] = {2, IN_INT32, 1},    /* uint2 */
    [26] = {2, IN_INT32, 1},    /* int2 */
};

static element find_element(int32_t data_type)
{
    const size_t known = sizeof elements / sizeof elements[0];
    const element none = {0};
    return data_type > 0 && (size_t)data_type < known ? elements[data_type] : none;
}

unsigned mfm_element_bits(int32_t data_type)
{
    return find_element(data_type).bits;
}

static const char *tensor_name(const Onnx__TensorProto *tensor)
{
    return tensor->name && tensor->name[0] ? tensor->name : "(unnamed)";
}

int mfm_tensor_count(const mfm_model *model, const Onnx__TensorProto *tensor, uint64_t *count)
{
    *count = 1;
    for (size_t i = 0; i < tensor->n_dims; i++)
        if (tensor->dims[i] < 0)
            return mfm_fail(model->ctx, MFM_EDATA,
                            "%s: tensor %s: dimension %zu is %lld: it must not be negative",
                            model->path, tensor_name(tensor), i, (long long)tensor->dims[i]);
    /* A zero makes the product zero whatever the others are. */
    for (size_t i = 0; i < tensor->n_dims; i++)
        if (tensor->dims[i] == 0)
            *count = 0;
    for (size_t i = 0; i < tensor->n_dims; i++)
        if (__builtin_mul_overflow(*count, (uint64_t)tensor->dims[i], count) ||
            *count > (uint64_t)INT64_MAX / 16)
            return mfm_fail(model->ctx, MFM_EDATA,
                            "%s: tensor %s: its dimensions: their product overflows", model->path,
                            tensor_name(tensor));
    return MFM_OK;
}

static size_t stored(const Onnx__TensorProto *t, enum storage storage)
{
    switch (storage) {
    case IN_FLOAT:
        return t->n_float_data;
    case IN_INT32:
        return t->n_int32_data;
    case IN_INT64:
        return t->n_int64_data;
    case IN_DOUBLE:
        return t->n_double_data;
    case IN_UINT64:
        return t->n_uint64_data;
    case IN_STRING:
        return t->n_string_data;
    case IN_NONE:
        break;
    }
    return 0;
}

static int wrong_amount(const mfm_model *model, const Onnx__TensorProto *tensor, const char *what,
                        uint64_t have, uint64_t want)
{
    return mfm_fail(model->ctx, MFM_EDATA,
                    "%s: tensor %s: %llu %s: its shape and type ask for %llu", model->path,
                    tensor_name(tensor), (unsigned long long)have, what, (unsigned long long)want);
}

static int check_amount(const mfm_model *model, const Onnx__TensorProto *tensor, uint64_t count)
{
    const element e = find_element(tensor->data_type);
    const uint64_t bytes = (count * e.bits + 7) / 8;
    if (tensor->raw_data.len && e.storage == IN_STRING)
        return mfm_fail(model->ctx, MFM_EDATA, "%s: tensor %s: strings in raw_data: not allowed",
                        model->path, tensor_name(tensor));
    if (tensor->raw_data.len)
        return tensor->raw_data.len == bytes
                   ? MFM_OK
                   : wrong_amount(model, tensor, "bytes", tensor->raw_data.len, bytes);
    const uint64_t numbers = e.bits && e.bits < 8 ? bytes : count * e.parts;
    const size_t have = stored(tensor, e.storage);
    return have == numbers ? MFM_OK : wrong_amount(model, tensor, "numbers", have, numbers);
}

int mfm_validate_tensor(const mfm_model *model, const Onnx__TensorProto *tensor)
{
    uint64_t count;
    const int status = mfm_tensor_count(model, tensor, &count);
    if (status)
        return status;
    if (tensor->segment)
        return mfm_fail(model->ctx, MFM_ENOTSUP, "%s: tensor %s: stored in segments: not supported",
                        model->path, tensor_name(tensor));
    size_t places = tensor->raw_data.len > 0;
    for (int s = IN_FLOAT; s <= IN_STRING; s++)
        places += stored(tensor, s) > 0;
    if (places > 1)
        return mfm_fail(model->ctx, MFM_EDATA,
                        "%s: tensor %s: data in %zu fields: one field holds all of it", model->path,
                        tensor_name(tensor), places);
    if (tensor->data_type == TYPE_UNDEFINED && places)
        return mfm_fail(model->ctx, MFM_EDATA, "%s: tensor %s: data without a type", model->path,
                        tensor_name(tensor));
    /* A type from a later version of ONNX: kept as it is, never computed with. */
    if (find_element(tensor->data_type).storage == IN_NONE)
        return MFM_OK;
    return check_amount(model, tensor, count);
}
