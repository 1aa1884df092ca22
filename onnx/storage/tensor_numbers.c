/* All numbers of a tensor, whatever its type, where it lies and how it is written. */
#include <string.h>

#include "onnx/proto/validate.h"
#include "onnx/storage/remote.h"
#include "onnx/storage/tensor_data.h"

/* The bytes of raw_data, read from the file if need be; NULL where the numbers are in a typed
 * field. *owned is released with mfm_free. */
static int raw_bytes(const mfm_model *model, const Onnx__TensorProto *t, const uint8_t **bytes,
                     uint8_t **owned)
{
    *owned = NULL;
    *bytes = t->raw_data.len ? t->raw_data.data : NULL;
    if (!mfm_tensor_is_remote(t))
        return MFM_OK;
    *bytes = *owned = mfm_alloc(model->ctx, t->raw_data.len, 1);
    return *owned ? mfm_remote_read(model, t, 0, *owned, t->raw_data.len) : MFM_ENOMEM;
}

int mfm_tensor_read_doubles(const mfm_model *model, const Onnx__TensorProto *t, double *values)
{
    const uint8_t *bytes;
    uint8_t *owned;
    const int status = raw_bytes(model, t, &bytes, &owned);
    if (!status)
        mfm_tensor_get_doubles(t, bytes, values);
    mfm_free(model->ctx, owned);
    return status;
}

/* A little-endian whole number of 1, 2, 4 or 8 bytes. */
static int64_t int_from_raw(const uint8_t *raw, size_t width, bool negative)
{
    uint64_t bits = 0;
    memcpy(&bits, raw, width);
    const unsigned unused = (unsigned)(64 - 8 * width);
    if (negative && unused && bits >> (63 - unused) & 1)
        bits |= ~(uint64_t)0 << (64 - unused);
    return (int64_t)bits;
}

static int64_t int_from_typed(const Onnx__TensorProto *t, size_t i)
{
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return t->int64_data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return (int64_t)t->uint64_data[i];
    default:
        return t->int32_data[i];
    }
}

static bool has_sign(int32_t type)
{
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8 ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__INT16 ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32 ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
}

int mfm_tensor_read_ints(const mfm_model *model, const Onnx__TensorProto *t, int64_t *values)
{
    const size_t count = mfm_tensor_size(t), width = mfm_element_bits(t->data_type) / 8;
    const bool is_bool = t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
    const bool negative = has_sign(t->data_type);
    const uint8_t *bytes;
    uint8_t *owned;
    const int status = raw_bytes(model, t, &bytes, &owned);
    for (size_t i = 0; i < count && !status; i++) {
        const int64_t value =
            bytes ? int_from_raw(bytes + i * width, width, negative) : int_from_typed(t, i);
        values[i] = is_bool ? value != 0 : value;
    }
    mfm_free(model->ctx, owned);
    return status;
}
