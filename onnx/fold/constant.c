/* Constants that nodes make: of a shape, of a range, in another type. */
#include <math.h>
#include <string.h>

#include "onnx/fold/fold_parts.h"
#include "onnx/storage/tensor_data.h"

enum {
    FLOAT32 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64
};

const int64_t mfm_fold_batches[MFM_FOLD_BATCHES] = {2, 3, 5};

/* ---- Shape and Size ------------------------------------------------------------------------- */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

bool mfm_number_of_batch(const int64_t at[MFM_FOLD_BATCHES], mfm_number *number)
{
    const int64_t *batch = mfm_fold_batches;
    const int64_t slope = (at[1] - at[0]) / (batch[1] - batch[0]);
    *number = (mfm_number){.i = at[0] - slope * batch[0], .n = slope};
    for (int k = 0; k < MFM_FOLD_BATCHES; k++)
        if (number->i + slope * batch[k] != at[k])
            return false;
    return true;
}

static bool number_of_axis(const mfm_shape shapes[MFM_FOLD_BATCHES], int axis, mfm_number *number)
{
    int64_t at[MFM_FOLD_BATCHES];
    for (int k = 0; k < MFM_FOLD_BATCHES; k++)
        at[k] = shapes[k].dim[axis];
    return mfm_number_of_batch(at, number);
}

static bool whole_shape(mfm_folding *f, const mfm_shape shapes[MFM_FOLD_BATCHES])
{
    const int rank = shapes[0].rank;
    int64_t start = mfm_fold_int(f, "start", 0), end = mfm_fold_int(f, "end", rank);
    start = clamp(start < 0 ? start + rank : start, 0, rank);
    end = clamp(end < 0 ? end + rank : end, 0, rank);
    const mfm_shape list = {.rank = 1, .dim = {end > start ? end - start : 0}};
    mfm_folded *out = mfm_fold_out(f, 0, INT64, &list);
    for (int64_t i = 0; out && i < list.dim[0]; i++)
        if (!number_of_axis(shapes, (int)(start + i), &out->v[i]))
            return false;
    return out != NULL;
}

static bool size(mfm_folding *f, const mfm_shape shapes[MFM_FOLD_BATCHES])
{
    int64_t at[MFM_FOLD_BATCHES];
    const mfm_shape scalar = {.rank = 0};
    for (int k = 0; k < MFM_FOLD_BATCHES; k++)
        at[k] = mfm_shape_count(&shapes[k]);
    mfm_folded *out = mfm_fold_out(f, 0, INT64, &scalar);
    return out && mfm_number_of_batch(at, &out->v[0]);
}

static bool shape_or_size(mfm_folding *f, const mfm_shape shapes[MFM_FOLD_BATCHES])
{
    return mfm_proto_is(f->node, "Size") ? size(f, shapes) : whole_shape(f, shapes);
}

int mfm_fold_shape(mfm_folder *folder, const Onnx__NodeProto *node,
                   const mfm_shape shapes[MFM_FOLD_BATCHES], mfm_folded **folded)
{
    mfm_folding f = {.folder = folder, .node = node, .out = folded};
    *folded = NULL;
    if (node->n_output == 1 && shape_or_size(&f, shapes))
        return MFM_OK;
    mfm_folded_free(folder->ctx, *folded);
    *folded = NULL;
    return f.status;
}

/* Of a value that is folded itself. */
static bool of_folded(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    if (!x)
        return false;
    const mfm_shape shapes[MFM_FOLD_BATCHES] = {x->shape, x->shape, x->shape};
    return shape_or_size(f, shapes);
}

bool mfm_fold_shape_of(mfm_folding *f)
{
    return of_folded(f);
}

bool mfm_fold_size_of(mfm_folding *f)
{
    return of_folded(f);
}

/* ---- types ---------------------------------------------------------------------------------- */

static bool convert(mfm_folding *f, int32_t type)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    if (!x || (!mfm_type_is_float(type) && !mfm_fold_type_is_whole(type)))
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, type, &x->shape);
    const int64_t count = out ? mfm_shape_count(&x->shape) : 0;
    for (int64_t i = 0; i < count; i++)
        if (!mfm_number_convert(x->type, type, &x->v[i], &out->v[i]))
            return false;
    return out != NULL;
}

/* Before opset 6 the type is a word, which no file of those days casts constants by. */
bool mfm_fold_cast(mfm_folding *f)
{
    return f->opset >= 6 && convert(f, (int32_t)mfm_fold_int(f, "to", 0));
}

bool mfm_fold_cast_like(mfm_folding *f)
{
    const mfm_folded *like = mfm_fold_in(f, 1);
    return like && convert(f, like->type);
}

/* ---- made of nothing ------------------------------------------------------------------------ */

/* The one number of a tensor attribute; float 0 where there is none. */
static bool filling(mfm_folding *f, int32_t *type, mfm_number *number)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(f->node, "value");
    mfm_folded *value = NULL;
    *type = FLOAT32;
    *number = (mfm_number){.r = 0};
    if (!attr)
        return true;
    if (attr->t)
        f->status = mfm_fold_tensor(f->folder, attr->t, &value);
    const bool found = value && mfm_shape_count(&value->shape) == 1;
    if (found) {
        *type = value->type;
        *number = value->v[0];
    }
    mfm_folded_free(f->folder->ctx, value);
    return found;
}

bool mfm_fold_constant_of_shape(mfm_folding *f)
{
    mfm_shape shape = {.rank = 0};
    mfm_number number;
    int32_t type;
    if (!mfm_fold_in(f, 0) || !mfm_fold_list(f, "", 0, shape.dim, &shape.rank) ||
        !filling(f, &type, &number))
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, type, &shape);
    const int64_t count = out ? mfm_shape_count(&shape) : 0;
    for (int64_t i = 0; i < count; i++)
        out->v[i] = number;
    return out != NULL;
}

bool mfm_fold_eye_like(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    if (!x || x->shape.rank != 2)
        return false;
    const int32_t type = (int32_t)mfm_fold_int(f, "dtype", x->type);
    const int64_t k = mfm_fold_int(f, "k", 0), rows = x->shape.dim[0], columns = x->shape.dim[1];
    const bool real_type = mfm_type_is_float(type);
    if (!real_type && !mfm_fold_type_is_whole(type))
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, type, &x->shape);
    for (int64_t i = 0; out && i < rows * columns; i++) {
        const bool one = i % columns - i / columns == k;
        out->v[i] = real_type ? (mfm_number){.r = one} : (mfm_number){.i = one};
    }
    return out != NULL;
}

/* Of real numbers: ceil((limit - start) / delta) of them, number i is start + i delta. */
static bool range_of_reals(mfm_folding *f, int32_t type, const mfm_number *at[3])
{
    mfm_number distance = {.r = at[1]->r - at[0]->r};
    mfm_number_fit(type, &distance);
    const double count = ceil(distance.r / at[2]->r);
    if (!(count < 0x1p62))
        return false;
    const mfm_shape shape = {.rank = 1, .dim = {count > 0 ? (int64_t)count : 0}};
    mfm_folded *out = mfm_fold_out(f, 0, type, &shape);
    for (int64_t i = 0; out && i < shape.dim[0]; i++) {
        out->v[i] = (mfm_number){.r = at[0]->r + (double)i * at[2]->r};
        mfm_number_fit(type, &out->v[i]);
    }
    return out != NULL;
}

static bool range_of_ints(mfm_folding *f, int32_t type, const mfm_number *at[3])
{
    const int64_t start = at[0]->i, limit = at[1]->i, delta = at[2]->i;
    int64_t distance;
    if (delta == 0 || delta == INT64_MIN || __builtin_sub_overflow(limit, start, &distance) ||
        distance == INT64_MIN)
        return false;
    const bool some = delta > 0 ? distance > 0 : distance < 0;
    const int64_t step = delta > 0 ? delta : -delta, way = distance > 0 ? distance : -distance;
    const mfm_shape shape = {.rank = 1, .dim = {some ? way / step + (way % step != 0) : 0}};
    mfm_folded *out = mfm_fold_out(f, 0, type, &shape);
    for (int64_t i = 0; out && i < shape.dim[0]; i++)
        out->v[i].i = start + i * delta;
    return out != NULL;
}

bool mfm_fold_range(mfm_folding *f)
{
    const mfm_number *at[3];
    for (size_t i = 0; i < 3; i++) {
        const mfm_folded *in = mfm_fold_in(f, i);
        if (!in || in->type != f->in[0]->type || mfm_shape_count(&in->shape) != 1 || in->v[0].n)
            return false;
        at[i] = &in->v[0];
    }
    const int32_t type = f->in[0]->type;
    return mfm_type_is_float(type) ? range_of_reals(f, type, at) : range_of_ints(f, type, at);
}
