/* A tensor's numbers on their way into the engine: piece by piece, so that no second copy of a
 * large tensor is ever there. */
#include "onnx/storage/remote.h"
#include "onnx/storage/tensor_data.h"
#include "onnx/proto/validate.h"

enum { PIECE = 1 << 16 }; /* numbers that are converted at a time: they stay in the cache */

typedef struct reader {
    const mfm_model *model;
    const Onnx__TensorProto *tensor;
    size_t width;    /* bytes of a number in the file */
    uint8_t *raw;    /* a piece of the file's bytes */
    real *row_major; /* a piece, or the whole of a tensor in a typed field */
} reader;

/* Whether the bytes of the file are the engine's numbers. */
static bool is_real(const Onnx__TensorProto *tensor)
{
    return tensor->data_type == (sizeof(real) == sizeof(float)
                                     ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
                                     : ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE);
}

/* `count` numbers of raw_data from number `first` on. */
static int read_piece(const reader *r, size_t first, size_t count, real *values)
{
    const size_t offset = first * r->width, size = count * r->width;
    const uint8_t *bytes = r->raw;
    if (!mfm_tensor_is_remote(r->tensor))
        bytes = r->tensor->raw_data.data + offset;
    else if (is_real(r->tensor))
        return mfm_remote_read(r->model, r->tensor, offset, values, size);
    else if (mfm_remote_read(r->model, r->tensor, offset, r->raw, size))
        return mfm_code(r->model->ctx);
    mfm_raw_get_reals(bytes, r->tensor->data_type, count, values);
    return MFM_OK;
}

/* Numbers whose order in the file is the engine's. */
static int read_in_order(const reader *r, size_t count, real *stored)
{
    const size_t most = is_real(r->tensor) ? count : PIECE;
    int status = MFM_OK;
    for (size_t first = 0, n; first < count && !status; first += n) {
        n = count - first < most ? count - first : most;
        status = read_piece(r, first, n, stored + first);
    }
    return status;
}

/* OIHW to OHWI: several outputs at a time, `row` numbers each. */
static int read_reordered(const reader *r, const mfm_shape *shape, size_t row, size_t rows,
                          real *stored)
{
    mfm_shape piece = *shape;
    int status = MFM_OK;
    for (int64_t first = 0; first < shape->dim[0] && !status; first += piece.dim[0]) {
        piece.dim[0] = shape->dim[0] - first;
        if ((size_t)piece.dim[0] > rows)
            piece.dim[0] = (int64_t)rows;
        const size_t at = (size_t)first * row;
        status = read_piece(r, at, (size_t)piece.dim[0] * row, r->row_major);
        if (!status)
            mfm_layout_to_engine(&piece, r->row_major, stored + at);
    }
    return status;
}

static int read_typed(const reader *r, const mfm_shape *shape, real *stored)
{
    mfm_tensor_get_reals(r->tensor, r->row_major);
    mfm_layout_to_engine(shape, r->row_major, stored);
    return MFM_OK;
}

int mfm_tensor_read(const mfm_model *model, const Onnx__TensorProto *tensor, const mfm_shape *shape,
                    real *stored)
{
    mfm_ctx *ctx = model->ctx;
    const size_t count = (size_t)mfm_shape_count(shape);
    if (count == 0)
        return MFM_OK;
    const bool typed = tensor->raw_data.len == 0;
    const bool reordered =
        shape->rank == 4 && shape->dim[1] > 1 && shape->dim[2] * shape->dim[3] > 1;
    const size_t row = reordered ? count / (size_t)shape->dim[0] : 1;
    const size_t rows = row < PIECE ? PIECE / row : 1;
    reader r = {model, tensor, .width = mfm_element_bits(tensor->data_type) / 8};
    r.row_major = mfm_alloc_aligned(ctx, typed ? count : rows * row, sizeof(real));
    r.raw = mfm_alloc_aligned(ctx, rows * row, r.width);
    int status = MFM_ENOMEM;
    if (r.row_major && r.raw)
        status = typed       ? read_typed(&r, shape, stored)
                 : reordered ? read_reordered(&r, shape, row, rows, stored)
                             : read_in_order(&r, count, stored);
    mfm_free_aligned(ctx, r.row_major);
    mfm_free_aligned(ctx, r.raw);
    return status;
}
