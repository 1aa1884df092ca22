/* Operators that take or replace numbers by index. Indices may count from behind. */
#include <math.h>
#include <string.h>

#include "onnx/fold/fold_parts.h"

enum { INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64 };

/* A whole number that does not depend on the batch, in [-length, length), as one from 0 on. */
static bool index_of(const mfm_number *number, int64_t length, int64_t *index)
{
    *index = number->i < 0 ? number->i + length : number->i;
    return number->n == 0 && *index >= 0 && *index < length;
}

static int64_t product(const mfm_shape *shape, int first, int last)
{
    int64_t result = 1;
    for (int i = first; i < last; i++)
        result *= shape->dim[i];
    return result;
}

/* The parts of x's shape: axes before `axis`, those of the indices, axes behind. */
bool mfm_fold_gather(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0), *at = mfm_fold_in(f, 1);
    int axis;
    if (!x || !at || mfm_folded_is_real(at) ||
        !mfm_fold_axis(mfm_fold_int(f, "axis", 0), x->shape.rank, &axis) ||
        x->shape.rank - 1 + at->shape.rank > MFM_MAX_RANK)
        return false;
    mfm_shape shape = {.rank = 0};
    for (int i = 0; i < axis; i++)
        shape.dim[shape.rank++] = x->shape.dim[i];
    for (int i = 0; i < at->shape.rank; i++)
        shape.dim[shape.rank++] = at->shape.dim[i];
    for (int i = axis + 1; i < x->shape.rank; i++)
        shape.dim[shape.rank++] = x->shape.dim[i];
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &shape);
    const int64_t length = x->shape.dim[axis], n = mfm_shape_count(&at->shape);
    const int64_t rows = product(&x->shape, 0, axis);
    const int64_t behind = product(&x->shape, axis + 1, x->shape.rank);
    mfm_number *to = out ? out->v : NULL;
    for (int64_t row = 0; out && row < rows; row++)
        for (int64_t i = 0; i < n; i++, to += behind) {
            int64_t index;
            if (!index_of(&at->v[i], length, &index))
                return false;
            if (behind)
                memcpy(to, x->v + (row * length + index) * behind, (size_t)behind * sizeof *to);
        }
    return out != NULL;
}

/* Where in x the element of the indices' walk points to, along `axis`. */
static bool element_at(const mfm_folded *x, const mfm_steps *steps, const mfm_number *at, int axis,
                       int64_t *offset)
{
    int64_t stride[MFM_MAX_RANK], index;
    mfm_row_strides(&x->shape, stride);
    if (!index_of(at, x->shape.dim[axis], &index))
        return false;
    *offset = index * stride[axis];
    for (int i = 0; i < x->shape.rank; i++) {
        if (i == axis)
            continue;
        if (steps->at[i] >= x->shape.dim[i])
            return false;
        *offset += steps->at[i] * stride[i];
    }
    return true;
}

bool mfm_fold_gather_elements(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0), *at = mfm_fold_in(f, 1);
    int axis;
    if (!x || !at || mfm_folded_is_real(at) || at->shape.rank != x->shape.rank ||
        !mfm_fold_axis(mfm_fold_int(f, "axis", 0), x->shape.rank, &axis))
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &at->shape);
    mfm_steps steps = {.shape = at->shape};
    const int64_t count = out ? mfm_shape_count(&at->shape) : 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t offset;
        if (!element_at(x, &steps, &at->v[i], axis, &offset))
            return false;
        out->v[i] = x->v[offset];
        mfm_steps_next(&steps);
    }
    return out != NULL;
}

bool mfm_fold_scatter_elements(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0), *at = mfm_fold_in(f, 1), *from = mfm_fold_in(f, 2);
    int axis;
    if (!x || !at || !from || mfm_folded_is_real(at) || mfm_proto_attr(f->node, "reduction") ||
        from->type != x->type || !mfm_shape_equal(&at->shape, &from->shape) ||
        at->shape.rank != x->shape.rank ||
        !mfm_fold_axis(mfm_fold_int(f, "axis", 0), x->shape.rank, &axis) ||
        !mfm_fold_as(f, x, &x->shape))
        return false;
    mfm_steps steps = {.shape = at->shape};
    const int64_t count = mfm_shape_count(&at->shape);
    for (int64_t i = 0; i < count; i++) {
        int64_t offset;
        if (!element_at(x, &steps, &at->v[i], axis, &offset))
            return false;
        f->out[0]->v[offset] = from->v[i];
        mfm_steps_next(&steps);
    }
    return true;
}

/* The last axis of the indices lists places along the first axes of x, k of them: each points to a
 * block of x. */
typedef struct blocks {
    int64_t n;    /* of lists */
    int64_t size; /* numbers of a block */
    int k;
} blocks;

static bool find_blocks(const mfm_folded *x, const mfm_folded *at, blocks *b)
{
    if (!x || !at || mfm_folded_is_real(at) || at->shape.rank < 1)
        return false;
    const int64_t k = at->shape.dim[at->shape.rank - 1];
    if (k < 1 || k > x->shape.rank)
        return false;
    b->k = (int)k;
    b->n = product(&at->shape, 0, at->shape.rank - 1);
    b->size = product(&x->shape, b->k, x->shape.rank);
    return true;
}

static bool block_at(const mfm_folded *x, const mfm_folded *at, const blocks *b, int64_t i,
                     int64_t *offset)
{
    int64_t stride[MFM_MAX_RANK];
    mfm_row_strides(&x->shape, stride);
    *offset = 0;
    for (int k = 0; k < b->k; k++) {
        int64_t index;
        if (!index_of(&at->v[i * b->k + k], x->shape.dim[k], &index))
            return false;
        *offset += index * stride[k];
    }
    return true;
}

/* The shape of what the lists point to: the lists' axes, then a block's. */
static bool shape_of_blocks(const mfm_folded *x, const mfm_folded *at, const blocks *b,
                            mfm_shape *shape)
{
    *shape = (mfm_shape){.rank = 0};
    if (at->shape.rank - 1 + x->shape.rank - b->k > MFM_MAX_RANK)
        return false;
    for (int i = 0; i < at->shape.rank - 1; i++)
        shape->dim[shape->rank++] = at->shape.dim[i];
    for (int i = b->k; i < x->shape.rank; i++)
        shape->dim[shape->rank++] = x->shape.dim[i];
    return true;
}

bool mfm_fold_gather_nd(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0), *at = mfm_fold_in(f, 1);
    blocks b;
    mfm_shape shape;
    if (!find_blocks(x, at, &b) || !shape_of_blocks(x, at, &b, &shape) ||
        mfm_fold_int(f, "batch_dims", 0) != 0)
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &shape);
    for (int64_t i = 0; out && i < b.n; i++) {
        int64_t offset;
        if (!block_at(x, at, &b, i, &offset))
            return false;
        if (b.size)
            memcpy(out->v + i * b.size, x->v + offset, (size_t)b.size * sizeof *out->v);
    }
    return out != NULL;
}

bool mfm_fold_scatter_nd(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0), *at = mfm_fold_in(f, 1), *from = mfm_fold_in(f, 2);
    blocks b;
    mfm_shape shape;
    if (!find_blocks(x, at, &b) || !shape_of_blocks(x, at, &b, &shape) || !from ||
        from->type != x->type || !mfm_shape_equal(&from->shape, &shape) ||
        mfm_proto_attr(f->node, "reduction") || !mfm_fold_as(f, x, &x->shape))
        return false;
    for (int64_t i = 0; i < b.n; i++) {
        int64_t offset;
        if (!block_at(x, at, &b, i, &offset))
            return false;
        if (b.size)
            memcpy(f->out[0]->v + offset, from->v + i * b.size, (size_t)b.size * sizeof *from->v);
    }
    return true;
}

/* [rank, count]: the places of what is not zero, in order. */
bool mfm_fold_non_zero(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    if (!x || x->shape.rank < 1 || mfm_folded_varies(x))
        return false;
    const bool real_type = mfm_folded_is_real(x);
    const int64_t count = mfm_shape_count(&x->shape);
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        found += real_type ? x->v[i].r != 0 : x->v[i].i != 0;
    const mfm_shape shape = {.rank = 2, .dim = {x->shape.rank, found}};
    mfm_folded *out = mfm_fold_out(f, 0, INT64, &shape);
    mfm_steps steps = {.shape = x->shape};
    int64_t at = 0;
    for (int64_t i = 0; out && i < count; i++, mfm_steps_next(&steps)) {
        if (!(real_type ? x->v[i].r != 0 : x->v[i].i != 0))
            continue;
        for (int k = 0; k < x->shape.rank; k++)
            out->v[k * found + at].i = steps.at[k];
        at++;
    }
    return out != NULL;
}

/* Of each matrix the triangle above diagonal k, or below it; the rest is zero. */
bool mfm_fold_trilu(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0), *diagonal = mfm_fold_in(f, 1);
    const bool upper = mfm_fold_int(f, "upper", 1) != 0;
    if (!x || x->shape.rank < 2 ||
        (diagonal && (mfm_folded_is_real(diagonal) || mfm_shape_count(&diagonal->shape) != 1 ||
                      diagonal->v[0].n)) ||
        !mfm_fold_as(f, x, &x->shape))
        return false;
    const int64_t k = diagonal ? diagonal->v[0].i : 0, count = mfm_shape_count(&x->shape);
    mfm_steps steps = {.shape = x->shape};
    for (int64_t i = 0; i < count; i++, mfm_steps_next(&steps)) {
        const int64_t off = steps.at[x->shape.rank - 1] - steps.at[x->shape.rank - 2];
        if (upper ? off < k : off > k)
            f->out[0]->v[i] = mfm_folded_is_real(x) ? (mfm_number){.r = 0} : (mfm_number){.i = 0};
    }
    return true;
}

bool mfm_fold_depth(const mfm_folded *depth, int64_t *result)
{
    if (!depth || mfm_shape_count(&depth->shape) != 1 || depth->v[0].n)
        return false;
    const double whole = mfm_folded_is_real(depth) ? trunc(depth->v[0].r) : (double)depth->v[0].i;
    const bool fits = whole >= 1 && whole <= (double)MFM_FOLD_MOST;
    *result = fits ? (int64_t)whole : 0;
    return fits;
}

/* A place as in [0, depth): whole, counted from behind where it is negative; -1 beyond. */
static int64_t hot_place(const mfm_folded *at, int64_t i, int64_t depth)
{
    const double whole = mfm_folded_is_real(at) ? trunc(at->v[i].r) : (double)at->v[i].i;
    if (!(whole >= -(double)depth && whole < (double)depth))
        return -1;
    return (int64_t)whole + (whole < 0 ? depth : 0);
}

/* The values' second number at the places along a new axis, the first one elsewhere. */
bool mfm_fold_one_hot(mfm_folding *f)
{
    const mfm_folded *at = mfm_fold_in(f, 0), *values = mfm_fold_in(f, 2);
    int64_t depth;
    int axis;
    if (!at || !values || mfm_shape_count(&values->shape) != 2 || at->shape.rank >= MFM_MAX_RANK ||
        mfm_folded_varies(at) || !mfm_fold_depth(mfm_fold_in(f, 1), &depth) ||
        !mfm_fold_axis(mfm_fold_int(f, "axis", -1), at->shape.rank + 1, &axis))
        return false;
    mfm_shape shape = {.rank = at->shape.rank + 1};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i < axis ? at->shape.dim[i] : i > axis ? at->shape.dim[i - 1] : depth;
    mfm_folded *out = mfm_fold_out(f, 0, values->type, &shape);
    const int64_t rows = product(&shape, 0, axis), behind = product(&shape, axis + 1, shape.rank);
    mfm_number *to = out ? out->v : NULL;
    for (int64_t row = 0; out && row < rows; row++)
        for (int64_t r = 0; r < depth; r++)
            for (int64_t i = 0; i < behind; i++)
                *to++ = values->v[hot_place(at, row * behind + i, depth) == r];
    return out != NULL;
}
