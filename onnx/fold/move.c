/* Operators that lay numbers out anew: the same numbers in another shape, order or number. */
#include <string.h>

#include "onnx/fold/fold_parts.h"

/* ---- shapes --------------------------------------------------------------------------------- */

bool mfm_fold_identity(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    return x && mfm_fold_as(f, x, &x->shape);
}

/* 0 is the length at that place, unless allowzero says that it is a length, -1 what is left. */
bool mfm_fold_reshape(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    mfm_shape shape = {.rank = 0};
    const bool zero_is_length = mfm_fold_int(f, "allowzero", 0) != 0;
    if (!x || !mfm_fold_list(f, "shape", 1, shape.dim, &shape.rank) || shape.rank < 0)
        return false;
    int left = -1;
    int64_t product = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] == 0 && !zero_is_length)
            shape.dim[i] = i < x->shape.rank ? x->shape.dim[i] : -1;
        if (shape.dim[i] < 0 && (shape.dim[i] != -1 || left >= 0))
            return false;
        if (shape.dim[i] < 0)
            left = i;
        else
            product = mfm_count_times(product, shape.dim[i]);
    }
    const int64_t count = mfm_shape_count(&x->shape);
    if (left >= 0) {
        if (product == 0 || count % product != 0)
            return false;
        shape.dim[left] = count / product;
        product = count;
    }
    return product == count && mfm_fold_as(f, x, &shape);
}

bool mfm_fold_flatten(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    const int64_t axis = mfm_fold_int(f, "axis", 1);
    if (!x || axis > x->shape.rank || axis < -x->shape.rank)
        return false;
    mfm_shape shape = {.rank = 2, .dim = {1, 1}};
    for (int i = 0; i < x->shape.rank; i++)
        shape.dim[i >= (axis < 0 ? axis + x->shape.rank : axis)] *= x->shape.dim[i];
    return mfm_fold_as(f, x, &shape);
}

bool mfm_fold_squeeze(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    bool listed[MFM_MAX_RANK];
    int64_t list[MFM_MAX_RANK];
    int count;
    if (!x || !mfm_fold_list(f, "axes", 1, list, &count) ||
        !mfm_fold_axes(f, 1, x->shape.rank, listed))
        return false;
    mfm_shape shape = {.rank = 0};
    for (int i = 0; i < x->shape.rank; i++) {
        const bool goes = count < 0 ? x->shape.dim[i] == 1 : count > 0 && listed[i];
        if (goes && x->shape.dim[i] != 1)
            return false;
        if (!goes)
            shape.dim[shape.rank++] = x->shape.dim[i];
    }
    return mfm_fold_as(f, x, &shape);
}

/* Axes are those of the result. */
bool mfm_fold_unsqueeze(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    int64_t list[MFM_MAX_RANK];
    bool added[MFM_MAX_RANK] = {false};
    int count, axis;
    if (!x || !mfm_fold_list(f, "axes", 1, list, &count) || count < 0 ||
        x->shape.rank + count > MFM_MAX_RANK)
        return false;
    mfm_shape shape = {.rank = x->shape.rank + count};
    for (int i = 0; i < count; i++) {
        if (!mfm_fold_axis(list[i], shape.rank, &axis) || added[axis])
            return false;
        added[axis] = true;
    }
    for (int i = 0, from = 0; i < shape.rank; i++)
        shape.dim[i] = added[i] ? 1 : x->shape.dim[from++];
    return mfm_fold_as(f, x, &shape);
}

/* ---- order ---------------------------------------------------------------------------------- */

/* Output 0 of the steps' shape, with the numbers at their offsets. */
static bool take(mfm_folding *f, const mfm_folded *x, mfm_steps *steps)
{
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &steps->shape);
    const int64_t count = out ? mfm_shape_count(&steps->shape) : 0;
    for (int64_t i = 0; i < count; i++) {
        out->v[i] = x->v[steps->offset];
        mfm_steps_next(steps);
    }
    return out != NULL;
}

bool mfm_fold_transpose(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    const Onnx__AttributeProto *perm = mfm_proto_attr(f->node, "perm");
    if (!x || (perm && perm->n_ints != (size_t)x->shape.rank))
        return false;
    const int rank = x->shape.rank;
    mfm_steps steps = {.shape = {.rank = rank}};
    bool used[MFM_MAX_RANK] = {false};
    int64_t stride[MFM_MAX_RANK];
    mfm_row_strides(&x->shape, stride);
    for (int i = 0; i < rank; i++) {
        const int64_t from = perm ? perm->ints[i] : rank - 1 - i;
        if (from < 0 || from >= rank || used[from])
            return false;
        used[from] = true;
        steps.shape.dim[i] = x->shape.dim[from];
        steps.stride[i] = stride[from];
    }
    return take(f, x, &steps);
}

bool mfm_fold_expand(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    mfm_shape shape = {.rank = 0};
    mfm_steps steps;
    if (!x || !mfm_fold_list(f, "", 1, shape.dim, &shape.rank) || shape.rank < 0)
        return false;
    /* The shape may be 1 where the input is longer, and shorter than the input's. */
    mfm_shape both = {.rank = shape.rank > x->shape.rank ? shape.rank : x->shape.rank};
    for (int k = 1; k <= both.rank; k++) {
        const int64_t a = k <= x->shape.rank ? x->shape.dim[x->shape.rank - k] : 1;
        const int64_t b = k <= shape.rank ? shape.dim[shape.rank - k] : 1;
        if (b < 0)
            return false;
        both.dim[both.rank - k] = a == 1 ? b : a;
        if (a != 1 && b != 1 && a != b)
            return false;
    }
    return mfm_steps_broadcast(&x->shape, &both, &steps) && take(f, x, &steps);
}

bool mfm_fold_tile(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    int64_t repeats[MFM_MAX_RANK], stride[MFM_MAX_RANK];
    int count;
    if (!x || f->opset < 6 || !mfm_fold_list(f, "", 1, repeats, &count) || count != x->shape.rank)
        return false;
    mfm_shape shape = x->shape;
    for (int i = 0; i < count; i++) {
        if (repeats[i] < 0)
            return false;
        shape.dim[i] = mfm_count_times(shape.dim[i], repeats[i]);
    }
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &shape);
    mfm_steps steps = {.shape = shape};
    mfm_row_strides(&x->shape, stride);
    const int64_t total = out ? mfm_shape_count(&shape) : 0;
    for (int64_t i = 0; i < total; i++) {
        int64_t offset = 0;
        for (int k = 0; k < shape.rank; k++)
            offset += steps.at[k] % x->shape.dim[k] * stride[k];
        out->v[i] = x->v[offset];
        mfm_steps_next(&steps);
    }
    return out != NULL;
}

/* ---- parts ---------------------------------------------------------------------------------- */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Where `bound` of a Slice is on an axis of that length; counted from behind below 0. */
static int64_t bound_at(int64_t bound, int64_t length, int64_t low, int64_t high)
{
    return clamp(bound < 0 ? bound + length : bound, low, high);
}

/* Backwards an end of -1 - length, or anything below, is in front of the first. */
static void cut(mfm_steps *steps, int axis, int64_t start, int64_t end, int64_t step)
{
    const int64_t length = steps->shape.dim[axis];
    int64_t count;
    if (step > 0) {
        start = bound_at(start, length, 0, length);
        end = bound_at(end, length, 0, length);
        count = end > start ? (end - start - 1) / step + 1 : 0;
    } else {
        start = bound_at(start, length, -1, length - 1);
        end = bound_at(end, length, -1, length - 1);
        count = start > end ? (start - end - 1) / -step + 1 : 0;
    }
    steps->offset += count ? start * steps->stride[axis] : 0;
    steps->shape.dim[axis] = count;
    /* One element never steps. */
    steps->stride[axis] = count > 1 ? steps->stride[axis] * step : 0;
}

/* Attributes before opset 10, inputs from then on. */
bool mfm_fold_slice(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    int64_t starts[MFM_MAX_RANK], ends[MFM_MAX_RANK], axes[MFM_MAX_RANK], by[MFM_MAX_RANK];
    int n, n_ends, n_axes, n_steps;
    if (!x || !mfm_fold_list(f, "starts", 1, starts, &n) ||
        !mfm_fold_list(f, "ends", 2, ends, &n_ends) ||
        !mfm_fold_list(f, "axes", 3, axes, &n_axes) || !mfm_fold_list(f, "", 4, by, &n_steps) ||
        n < 0 || n_ends != n || (n_axes >= 0 && n_axes != n) || (n_steps >= 0 && n_steps != n))
        return false;
    mfm_steps steps = {.shape = x->shape};
    bool named[MFM_MAX_RANK] = {false};
    mfm_row_strides(&x->shape, steps.stride);
    for (int i = 0; i < n; i++) {
        const int64_t step = n_steps >= 0 ? by[i] : 1;
        int axis;
        if (!mfm_fold_axis(n_axes >= 0 ? axes[i] : i, x->shape.rank, &axis) || named[axis] ||
            step == 0 || step == INT64_MIN)
            return false;
        named[axis] = true;
        cut(&steps, axis, starts[i], ends[i], step);
    }
    return take(f, x, &steps);
}

/* Elements in front of an axis and from it on, as rows and their length. */
static void rows_at(const mfm_shape *shape, int axis, int64_t *rows, int64_t *length)
{
    *rows = *length = 1;
    for (int i = 0; i < shape->rank; i++)
        *(i < axis ? rows : length) *= shape->dim[i];
}

/* Whether the inputs fit together; *shape gets the result's. */
static bool joined_shape(const mfm_folding *f, int *axis, mfm_shape *shape)
{
    const mfm_folded *first = mfm_fold_in(f, 0);
    if (!first || !mfm_fold_axis(mfm_fold_int(f, "axis", f->opset < 4), first->shape.rank, axis))
        return false;
    *shape = first->shape;
    for (size_t i = 1; i < f->n_in; i++) {
        const mfm_folded *x = mfm_fold_in(f, i);
        if (!x || x->type != first->type || x->shape.rank != shape->rank)
            return false;
        for (int k = 0; k < shape->rank; k++)
            if (k != *axis && x->shape.dim[k] != shape->dim[k])
                return false;
        shape->dim[*axis] += x->shape.dim[*axis];
    }
    return true;
}

bool mfm_fold_concat(mfm_folding *f)
{
    int axis;
    mfm_shape shape;
    if (!joined_shape(f, &axis, &shape))
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, f->in[0]->type, &shape);
    int64_t rows, length, at = 0;
    rows_at(&shape, axis, &rows, &length);
    for (size_t i = 0; out && i < f->n_in; i++) {
        int64_t part;
        rows_at(&f->in[i]->shape, axis, &rows, &part);
        for (int64_t row = 0; part && row < rows; row++)
            memcpy(out->v + row * length + at, f->in[i]->v + row * part,
                   (size_t)part * sizeof *out->v);
        at += part;
    }
    return out != NULL;
}

/* The lengths along the axis: those that are given, else equal ones, the last of which may be
 * shorter (opset 18). */
static bool part_lengths(const mfm_folding *f, int64_t whole, const int64_t *given, int n_given,
                         int64_t *lengths)
{
    const int64_t parts = (int64_t)f->node->n_output, each = (whole + parts - 1) / parts;
    int64_t sum = 0;
    if (n_given >= 0 && n_given != parts)
        return false;
    if (n_given < 0 && f->opset < 18 && whole % parts != 0)
        return false;
    for (int64_t i = 0; i < parts; i++) {
        lengths[i] = n_given >= 0 ? given[i] : sum + each <= whole ? each : whole - sum;
        if (lengths[i] < 0 || lengths[i] > whole)
            return false;
        sum += lengths[i];
    }
    return sum == whole;
}

bool mfm_fold_split(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    int64_t given[MFM_MAX_RANK], lengths[MFM_MAX_RANK];
    int n_given, axis;
    if (!x || f->node->n_output > MFM_MAX_RANK ||
        !mfm_fold_axis(mfm_fold_int(f, "axis", 0), x->shape.rank, &axis) ||
        !mfm_fold_list(f, "split", 1, given, &n_given) ||
        !part_lengths(f, x->shape.dim[axis], given, n_given, lengths))
        return false;
    int64_t rows, length, at = 0;
    rows_at(&x->shape, axis, &rows, &length);
    for (size_t i = 0; i < f->node->n_output; i++) {
        mfm_shape shape = x->shape;
        int64_t part;
        shape.dim[axis] = lengths[i];
        mfm_folded *out = mfm_fold_out(f, i, x->type, &shape);
        if (!out)
            return false;
        rows_at(&shape, axis, &rows, &part);
        for (int64_t row = 0; part && row < rows; row++)
            memcpy(out->v + row * part, x->v + row * length + at, (size_t)part * sizeof *out->v);
        at += part;
    }
    return true;
}
