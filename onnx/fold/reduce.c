/* Sums, products and extremes along axes. */
#include <string.h>

#include "onnx/fold/fold_parts.h"

typedef bool join_fn(int32_t type, const mfm_number *a, const mfm_number *b, mfm_number *result);

static bool larger(int32_t type, const mfm_number *a, const mfm_number *b, mfm_number *result)
{
    int order;
    if (!mfm_number_order(type, a, b, &order))
        return false;
    *result = order >= 0 ? *a : *b;
    return true;
}

static bool smaller(int32_t type, const mfm_number *a, const mfm_number *b, mfm_number *result)
{
    int order;
    if (!mfm_number_order(type, a, b, &order))
        return false;
    *result = order <= 0 ? *a : *b;
    return true;
}

/* The result's shape with the axes kept, and without them. */
static mfm_shape kept_shape(const mfm_shape *x, const bool *axes)
{
    mfm_shape shape = *x;
    for (int i = 0; i < x->rank; i++)
        shape.dim[i] = axes[i] ? 1 : x->dim[i];
    return shape;
}

static mfm_shape without(const mfm_shape *kept, const bool *axes)
{
    mfm_shape shape = {.rank = 0};
    for (int i = 0; i < kept->rank; i++)
        if (!axes[i])
            shape.dim[shape.rank++] = kept->dim[i];
    return shape;
}

/* Each result begins as the first number of its group and is joined with the others in order. */
static bool reduce(mfm_folding *f, join_fn *join)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    bool axes[MFM_MAX_RANK];
    int64_t list[MFM_MAX_RANK];
    int n_listed;
    if (!x || !mfm_fold_list(f, "axes", 1, list, &n_listed) ||
        !mfm_fold_axes(f, 1, x->shape.rank, axes))
        return false;
    if (n_listed <= 0 && mfm_fold_int(f, "noop_with_empty_axes", 0))
        return mfm_fold_as(f, x, &x->shape);
    const int64_t count = mfm_shape_count(&x->shape);
    const mfm_shape kept = kept_shape(&x->shape, axes), flat = without(&kept, axes);
    mfm_folded *out =
        count ? mfm_fold_out(f, 0, x->type, mfm_fold_int(f, "keepdims", 1) ? &kept : &flat) : NULL;
    mfm_steps steps;
    if (!out || !mfm_steps_broadcast(&kept, &x->shape, &steps))
        return false;
    for (int64_t i = 0; i < count; i++, mfm_steps_next(&steps)) {
        mfm_number *to = &out->v[steps.offset];
        bool first = true;
        for (int k = 0; k < x->shape.rank; k++)
            first &= !axes[k] || steps.at[k] == 0;
        const mfm_number so_far = *to;
        if (first)
            *to = x->v[i];
        else if (!join(x->type, &so_far, &x->v[i], to))
            return false;
    }
    return true;
}

bool mfm_fold_reduce_max(mfm_folding *f)
{
    return reduce(f, larger);
}

bool mfm_fold_reduce_min(mfm_folding *f)
{
    return reduce(f, smaller);
}

bool mfm_fold_reduce_prod(mfm_folding *f)
{
    return reduce(f, mfm_number_times);
}

bool mfm_fold_reduce_sum(mfm_folding *f)
{
    return reduce(f, mfm_number_add);
}

bool mfm_fold_cum_sum(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    int64_t list[MFM_MAX_RANK];
    int count, axis;
    if (!x || !mfm_fold_list(f, "", 1, list, &count) || count != 1 ||
        !mfm_fold_axis(list[0], x->shape.rank, &axis) || !mfm_fold_as(f, x, &x->shape))
        return false;
    const bool exclusive = mfm_fold_int(f, "exclusive", 0) != 0;
    const bool reverse = mfm_fold_int(f, "reverse", 0) != 0;
    const int64_t length = x->shape.dim[axis], total = mfm_shape_count(&x->shape);
    int64_t stride[MFM_MAX_RANK];
    mfm_row_strides(&x->shape, stride);
    const mfm_number zero = mfm_folded_is_real(x) ? (mfm_number){.r = 0} : (mfm_number){.i = 0};
    /* Along each line of the axis; number k of it, from behind when reversed. */
    for (int64_t line = 0; line < total; line++) {
        if (line / stride[axis] % length != 0)
            continue;
        mfm_number sum = zero;
        for (int64_t k = 0; k < length; k++) {
            const int64_t at = line + (reverse ? length - 1 - k : k) * stride[axis];
            const mfm_number before = sum;
            if (!mfm_number_add(x->type, &before, &x->v[at], &sum))
                return false;
            f->out[0]->v[at] = exclusive ? before : sum;
        }
    }
    return true;
}
