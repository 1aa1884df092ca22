#include "onnx/fold/fold.h"

#include <string.h>

#include "onnx/fold/fold_parts.h"
#include "onnx/storage/tensor_data.h"

/* ---- values --------------------------------------------------------------------------------- */

void mfm_folded_free(mfm_ctx *ctx, mfm_folded *folded)
{
    if (folded)
        mfm_free(ctx, folded->v);
    mfm_free(ctx, folded);
}

void mfm_folded_drop(mfm_folder *folder, mfm_folded *folded)
{
    if (folded)
        folder->used -= mfm_shape_count(&folded->shape);
    mfm_folded_free(folder->ctx, folded);
}

bool mfm_folded_is_real(const mfm_folded *folded)
{
    return mfm_type_is_float(folded->type);
}

bool mfm_folded_varies(const mfm_folded *folded)
{
    const int64_t count = mfm_shape_count(&folded->shape);
    for (int64_t i = 0; i < count; i++)
        if (folded->v[i].n)
            return true;
    return false;
}

bool mfm_fold_has_room(mfm_folder *folder, int64_t count)
{
    const char *limit = count > MFM_FOLD_MOST                       ? "2^20 of one value"
                        : folder->used + count > MFM_FOLD_MOST_ALL  ? "2^23 at a time"
                        : folder->made + count > MFM_FOLD_MOST_MADE ? "2^27 of a file"
                                                                    : NULL;
    if (!limit)
        return true;
    folder->limit = limit;
    folder->wanted = count;
    return false;
}

/* Whether the shape is one, and no larger than what is folded. */
static bool within_limits(mfm_folder *folder, const mfm_shape *shape)
{
    int64_t count = 1, longest = 0;
    if (shape->rank > MFM_MAX_RANK)
        return false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0)
            return false;
        count = mfm_count_times(count, shape->dim[i]);
        longest = shape->dim[i] > longest ? shape->dim[i] : longest;
    }
    /* Without numbers, too, an axis may be walked along. */
    return mfm_fold_has_room(folder, count > longest ? count : longest);
}

int mfm_folded_new(mfm_folder *folder, int32_t type, const mfm_shape *shape, mfm_folded **folded)
{
    *folded = NULL;
    if (!within_limits(folder, shape))
        return MFM_OK;
    mfm_folded *made = mfm_alloc(folder->ctx, 1, sizeof *made);
    if (!made)
        return MFM_ENOMEM;
    const int64_t count = mfm_shape_count(shape);
    made->type = type;
    made->shape = *shape;
    made->v = mfm_alloc(folder->ctx, (size_t)count, sizeof *made->v);
    if (!made->v) {
        mfm_free(folder->ctx, made);
        return MFM_ENOMEM;
    }
    folder->used += count;
    folder->made += count;
    *folded = made;
    return MFM_OK;
}

static int read_reals(mfm_folder *folder, const Onnx__TensorProto *tensor, mfm_folded *made)
{
    const size_t count = mfm_tensor_size(tensor);
    double *numbers = mfm_alloc(folder->ctx, count, sizeof *numbers);
    if (!numbers)
        return MFM_ENOMEM;
    const int status = mfm_tensor_read_doubles(folder->model, tensor, numbers);
    for (size_t i = 0; i < count && !status; i++)
        made->v[i].r = numbers[i];
    mfm_free(folder->ctx, numbers);
    return status;
}

static int read_ints(mfm_folder *folder, const Onnx__TensorProto *tensor, mfm_folded *made,
                     bool *whole)
{
    const size_t count = mfm_tensor_size(tensor);
    int64_t *numbers = mfm_alloc(folder->ctx, count, sizeof *numbers);
    if (!numbers)
        return MFM_ENOMEM;
    const int status = mfm_tensor_read_ints(folder->model, tensor, numbers);
    for (size_t i = 0; i < count && !status; i++) {
        made->v[i].i = numbers[i];
        *whole &= mfm_number_fit(tensor->data_type, &made->v[i]);
    }
    mfm_free(folder->ctx, numbers);
    return status;
}

int mfm_fold_tensor(mfm_folder *folder, const Onnx__TensorProto *tensor, mfm_folded **folded)
{
    *folded = NULL;
    const bool reals = mfm_tensor_is_float(tensor);
    mfm_shape shape = {.rank = (int)tensor->n_dims};
    if (tensor->n_dims > MFM_MAX_RANK || (!reals && !mfm_fold_type_is_whole(tensor->data_type)))
        return MFM_OK;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = tensor->dims[i];
    bool whole = true; /* a uint64 may be more than int64 holds */
    int status = mfm_folded_new(folder, tensor->data_type, &shape, folded);
    if (!status && *folded)
        status = reals ? read_reals(folder, tensor, *folded)
                       : read_ints(folder, tensor, *folded, &whole);
    if (status || !whole) {
        mfm_folded_free(folder->ctx, *folded);
        *folded = NULL;
    }
    return status;
}

/* ---- what operators ask --------------------------------------------------------------------- */

const mfm_folded *mfm_fold_in(const mfm_folding *f, size_t input)
{
    return input < f->n_in ? f->in[input] : NULL;
}

mfm_folded *mfm_fold_out(mfm_folding *f, size_t output, int32_t type, const mfm_shape *shape)
{
    f->status = mfm_folded_new(f->folder, type, shape, &f->out[output]);
    return f->out[output];
}

bool mfm_fold_as(mfm_folding *f, const mfm_folded *from, const mfm_shape *shape)
{
    mfm_folded *out = mfm_fold_out(f, 0, from->type, shape);
    if (!out)
        return false;
    const int64_t count = mfm_shape_count(shape);
    if (count)
        memcpy(out->v, from->v, (size_t)count * sizeof *out->v);
    return true;
}

int64_t mfm_fold_int(const mfm_folding *f, const char *name, int64_t fallback)
{
    return mfm_proto_int(f->node, name, fallback);
}

bool mfm_fold_list(const mfm_folding *f, const char *name, size_t input, int64_t list[MFM_MAX_RANK],
                   int *count)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(f->node, name);
    const mfm_folded *in = mfm_fold_in(f, input);
    *count = -1;
    if (attr) {
        if (attr->n_ints > MFM_MAX_RANK)
            return false;
        *count = (int)attr->n_ints;
        for (int i = 0; i < *count; i++)
            list[i] = attr->ints[i];
        return true;
    }
    if (!in)
        return true;
    const int64_t length = mfm_shape_count(&in->shape);
    if (mfm_folded_is_real(in) || mfm_folded_varies(in) || length > MFM_MAX_RANK)
        return false;
    *count = (int)length;
    for (int i = 0; i < *count; i++)
        list[i] = in->v[i].i;
    return true;
}

bool mfm_fold_axis(int64_t axis, int rank, int *result)
{
    *result = (int)(axis < 0 ? axis + rank : axis);
    return axis >= -rank && axis < rank;
}

bool mfm_fold_axes(const mfm_folding *f, size_t input, int rank, bool axes[MFM_MAX_RANK])
{
    int64_t list[MFM_MAX_RANK];
    int count, axis;
    if (!mfm_fold_list(f, "axes", input, list, &count))
        return false;
    for (int i = 0; i < MFM_MAX_RANK; i++)
        axes[i] = count <= 0 && i < rank;
    for (int i = 0; i < count; i++) {
        if (!mfm_fold_axis(list[i], rank, &axis) || axes[axis])
            return false;
        axes[axis] = true;
    }
    return true;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static mfm_fold_fn *find(const Onnx__NodeProto *node)
{
    static const struct {
        const char *name;
        mfm_fold_fn *fold;
    } operators[] = {
#define MFM_FOLD_OPERATOR(name, function) {name, function},
#include "onnx/fold/operators.def"
#undef MFM_FOLD_OPERATOR
    };
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (mfm_proto_is(node, operators[i].name))
            return operators[i].fold;
    return NULL;
}

bool mfm_fold_knows(const Onnx__NodeProto *node)
{
    return find(node) != NULL;
}

int mfm_fold_node(mfm_folder *folder, const Onnx__NodeProto *node, int opset,
                  const mfm_folded *const *in, size_t n_in, mfm_folded **out)
{
    mfm_fold_fn *fold = find(node);
    mfm_folding f = {
        .folder = folder, .node = node, .opset = opset, .in = in, .n_in = n_in, .out = out};
    for (size_t i = 0; i < node->n_output; i++)
        out[i] = NULL;
    if (!fold || node->n_output == 0 || fold(&f))
        return MFM_OK;
    for (size_t i = 0; i < node->n_output; i++) {
        mfm_folded_free(folder->ctx, out[i]);
        out[i] = NULL;
    }
    return f.status;
}
