#include "onnx/storage/tensor_data.h"

#include <math.h>
#include <string.h>

#include "onnx/storage/remote.h"
#include "onnx/proto/validate.h"

enum {
    FLOAT32 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    FLOAT64 = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
    FLOAT16 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
    BFLOAT16 = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16,
    INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    INT16 = ONNX__TENSOR_PROTO__DATA_TYPE__INT16,
    INT8 = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
    UINT64 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT64,
    UINT32 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT32,
    UINT16 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT16,
    UINT8 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
    BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL
};

bool mfm_type_is_float(int32_t data_type)
{
    return data_type == FLOAT32 || data_type == FLOAT64 || data_type == FLOAT16 ||
           data_type == BFLOAT16;
}

bool mfm_type_is_narrow(int32_t data_type)
{
    return data_type == FLOAT16 || data_type == BFLOAT16;
}

bool mfm_tensor_is_float(const Onnx__TensorProto *t)
{
    return mfm_type_is_float(t->data_type);
}

bool mfm_tensor_is_int(const Onnx__TensorProto *t)
{
    return t->data_type == INT64 || t->data_type == INT32 || t->data_type == BOOL ||
           t->data_type == INT16 || t->data_type == INT8 || t->data_type == UINT64 ||
           t->data_type == UINT32 || t->data_type == UINT16 || t->data_type == UINT8;
}

int mfm_tensor_shape(mfm_ctx *ctx, const Onnx__TensorProto *t, mfm_shape *shape)
{
    if (t->n_dims > MFM_MAX_RANK)
        return mfm_fail(ctx, MFM_ENOTSUP, "tensor '%s': rank %zu: at most %d axes are supported",
                        mfm_proto_text(t->name), t->n_dims, MFM_MAX_RANK);
    *shape = (mfm_shape){.rank = (int)t->n_dims};
    for (size_t i = 0; i < t->n_dims; i++)
        shape->dim[i] = t->dims[i];
    return mfm_shape_check(ctx, shape, mfm_proto_text(t->name));
}

size_t mfm_tensor_size(const Onnx__TensorProto *t)
{
    size_t count = 1;
    for (size_t i = 0; i < t->n_dims; i++)
        count *= (size_t)t->dims[i];
    return count;
}

/* Empty raw_data is as good as none: the numbers, if any, are in the typed field. */
static bool is_raw(const Onnx__TensorProto *t)
{
    return t->raw_data.len > 0;
}

/* IEEE 754 half precision, by its fields. */
static double from_half(uint16_t bits)
{
    const int exponent = bits >> 10 & 0x1F, fraction = bits & 0x3FF;
    const double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 0x1F)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, -24);
    return sign * ldexp(fraction + 1024, exponent - 25);
}

/* Rounds to the nearest, ties to even; too large becomes infinite. */
static uint16_t to_half(double value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    const double magnitude = fabs(value);
    if (isnan(magnitude))
        return sign | 0x7E00;
    if (magnitude >= 65520)
        return sign | 0x7C00;
    int exponent;
    frexp(magnitude, &exponent); /* magnitude in [2^(exponent-1), 2^exponent) */
    if (exponent < -13 || magnitude == 0)
        exponent = -13; /* zero and subnormal: steps of 2^-24 */
    /* Steps of the last place; for normal numbers they hold the leading 1, which is one step of the
     * exponent field. */
    const uint32_t steps = (uint32_t)nearbyint(ldexp(magnitude, 11 - exponent));
    return (uint16_t)(sign | (steps + ((uint32_t)(exponent + 13) << 10)));
}

static double from_bfloat(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return (double)value;
}

static uint16_t to_bfloat(double value)
{
    const float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    if (isnan(narrow))
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static double from_raw(const uint8_t *raw, int32_t type, size_t i)
{
    float f;
    double d;
    uint16_t h;
    switch (type) {
    case FLOAT32:
        memcpy(&f, raw + i * sizeof f, sizeof f);
        return (double)f;
    case FLOAT64:
        memcpy(&d, raw + i * sizeof d, sizeof d);
        return d;
    default:
        memcpy(&h, raw + i * sizeof h, sizeof h);
        return type == FLOAT16 ? from_half(h) : from_bfloat(h);
    }
}

static double from_typed(const Onnx__TensorProto *t, size_t i)
{
    switch (t->data_type) {
    case FLOAT32:
        return (double)t->float_data[i];
    case FLOAT64:
        return t->double_data[i];
    default:
        return t->data_type == FLOAT16 ? from_half((uint16_t)t->int32_data[i])
                                       : from_bfloat((uint16_t)t->int32_data[i]);
    }
}

static real get(const Onnx__TensorProto *t, size_t i)
{
    return (real)(is_raw(t) ? from_raw(t->raw_data.data, t->data_type, i) : from_typed(t, i));
}

double mfm_tensor_round(int32_t data_type, double value)
{
    switch (data_type) {
    case FLOAT32:
        return (double)(float)value;
    case FLOAT16:
        return from_half(to_half(value));
    case BFLOAT16:
        return from_bfloat(to_bfloat(value));
    default:
        return value;
    }
}

void mfm_raw_get_reals(const uint8_t *raw, int32_t data_type, size_t count, real *values)
{
    if (data_type == FLOAT32 && sizeof *values == sizeof(float)) {
        if (count)
            memcpy(values, raw, count * sizeof *values);
        return;
    }
    for (size_t i = 0; i < count; i++)
        values[i] = (real)from_raw(raw, data_type, i);
}

void mfm_tensor_get_reals(const Onnx__TensorProto *t, real *values)
{
    const size_t count = mfm_tensor_size(t);
    if (is_raw(t))
        mfm_raw_get_reals(t->raw_data.data, t->data_type, count, values);
    else
        for (size_t i = 0; i < count; i++)
            values[i] = (real)from_typed(t, i);
}

void mfm_tensor_get_doubles(const Onnx__TensorProto *t, const uint8_t *raw, double *values)
{
    const size_t count = mfm_tensor_size(t);
    for (size_t i = 0; i < count; i++)
        values[i] = raw ? from_raw(raw, t->data_type, i) : from_typed(t, i);
}

static void to_raw(uint8_t *raw, int32_t type, size_t i, real value)
{
    const float f = (float)value;
    const double d = (double)value;
    const uint16_t h = type == FLOAT16 ? to_half(d) : to_bfloat(d);
    if (type == FLOAT32)
        memcpy(raw + i * sizeof f, &f, sizeof f);
    else if (type == FLOAT64)
        memcpy(raw + i * sizeof d, &d, sizeof d);
    else
        memcpy(raw + i * sizeof h, &h, sizeof h);
}

static void to_typed(Onnx__TensorProto *t, size_t i, real value)
{
    if (t->data_type == FLOAT32)
        t->float_data[i] = (float)value;
    else if (t->data_type == FLOAT64)
        t->double_data[i] = (double)value;
    else
        t->int32_data[i] =
            t->data_type == FLOAT16 ? to_half((double)value) : to_bfloat((double)value);
}

void mfm_tensor_set_reals(Onnx__TensorProto *t, const real *values)
{
    const size_t count = mfm_tensor_size(t);
    for (size_t i = 0; i < count; i++) {
        const real old = get(t, i);
        if (memcmp(&old, &values[i], sizeof old) == 0)
            continue;
        if (is_raw(t))
            to_raw(t->raw_data.data, t->data_type, i, values[i]);
        else
            to_typed(t, i, values[i]);
    }
}

/* Element i in the bytes of raw_data. */
static void copy_element(const Onnx__TensorProto *from, size_t i, size_t width, uint8_t *raw)
{
    const uint16_t half = from->n_int32_data ? (uint16_t)from->int32_data[i] : 0;
    const void *source = is_raw(from)                 ? from->raw_data.data + i * width
                         : from->data_type == FLOAT32 ? (const void *)&from->float_data[i]
                         : from->data_type == FLOAT64 ? (const void *)&from->double_data[i]
                                                      : &half;
    memcpy(raw + i * width, source, width);
}

static int fill_like(mfm_model *model, const Onnx__TensorProto *from, const char *name,
                     Onnx__TensorProto *made)
{
    const size_t width = mfm_element_bits(from->data_type) / 8, count = mfm_tensor_size(from);
    made->has_data_type = 1;
    made->data_type = from->data_type;
    if (mfm_proto_set_string(model, &made->name, name))
        return MFM_ENOMEM;
    if (from->n_dims) {
        made->dims = mfm_proto_new(model, from->n_dims * sizeof *made->dims);
        if (!made->dims)
            return MFM_ENOMEM;
        memcpy(made->dims, from->dims, from->n_dims * sizeof *made->dims);
        made->n_dims = from->n_dims;
    }
    made->raw_data.data = mfm_proto_new(model, count * width);
    if (!made->raw_data.data)
        return MFM_ENOMEM;
    made->has_raw_data = 1;
    made->raw_data.len = count * width;
    if (mfm_tensor_is_remote(from))
        return mfm_remote_read(model, from, 0, made->raw_data.data, count * width);
    for (size_t i = 0; i < count; i++)
        copy_element(from, i, width, made->raw_data.data);
    return MFM_OK;
}

Onnx__TensorProto *mfm_tensor_like(mfm_model *model, const Onnx__TensorProto *tensor,
                                   const char *name)
{
    Onnx__TensorProto *made = mfm_proto_new(model, sizeof *made);
    if (!made)
        return NULL;
    onnx__tensor_proto__init(made);
    if (!fill_like(model, tensor, name, made))
        return made;
    mfm_proto_discard(model, made);
    return NULL;
}
