#include "core/engine/kernels/broadcast.h"

#include <string.h>

#include "core/engine/kernels/nest.h"
#include "core/engine/kernels/reduce.h"
#include "core/engine/kernels/strided.h"

/* Operands of the nests here. */
enum { A, B, Y };

/* Length of the axis that stands at axis i of a shape of `rank` axes. */
static int64_t aligned_dim(const mfm_shape *shape, int rank, int i)
{
    const int own = i - (rank - shape->rank);
    return own < 0 ? 1 : shape->dim[own];
}

bool mfm_broadcast_shape(const mfm_shape *a, const mfm_shape *b, mfm_shape *full)
{
    mfm_shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < result.rank; i++) {
        const int64_t da = aligned_dim(a, result.rank, i), db = aligned_dim(b, result.rank, i);
        if (da != db && da != 1 && db != 1)
            return false;
        result.dim[i] = da == 1 ? db : da;
    }
    *full = result;
    return true;
}

void mfm_broadcast_strides(const mfm_shape *shape, const mfm_shape *full,
                           int64_t stride[MFM_MAX_RANK])
{
    int64_t own[MFM_MAX_RANK];
    mfm_shape_strides(shape, own);
    const int missing = full->rank - shape->rank;
    for (int i = 0; i < full->rank; i++)
        stride[i] = i < missing || shape->dim[i - missing] == 1 ? 0 : own[i - missing];
}

void mfm_broadcast_next(const mfm_shape *full, const int64_t stride[MFM_MAX_RANK],
                        int64_t index[MFM_MAX_RANK], int64_t *at)
{
    for (int axis = full->rank - 1; axis >= 0; axis--) {
        *at += stride[axis];
        if (++index[axis] < full->dim[axis])
            break;
        *at -= full->dim[axis] * stride[axis];
        index[axis] = 0;
    }
}

bool mfm_broadcast_stretches(const mfm_shape *shape, const mfm_shape *full)
{
    int64_t own[MFM_MAX_RANK], result[MFM_MAX_RANK];
    if (!mfm_shape_equal(shape, full))
        return true;
    mfm_shape_strides(shape, own);
    mfm_shape_strides(full, result);
    return memcmp(own, result, (size_t)full->rank * sizeof *own) != 0;
}

static inline real combine(enum mfm_binary op, real a, real b)
{
    switch (op) {
    case MFM_BINARY_ADD:
        return a + b;
    case MFM_BINARY_SUB:
        return a - b;
    case MFM_BINARY_MUL:
        return a * b;
    case MFM_BINARY_DIV:
        break;
    }
    return a / b;
}

typedef struct row {
    int64_t n;
    const real *a, *b;
    real *y;
    int64_t a_step, b_step, y_step;
} row;

/* op and add are constants at every call, so that each loop is one plain vector loop. */
static inline __attribute__((always_inline)) void run_loops(enum mfm_binary op, bool add, row r)
{
    if (r.y_step == 1 && r.a_step == 1 && r.b_step == 1) {
#pragma omp simd
        for (int64_t i = 0; i < r.n; i++)
            r.y[i] = add ? r.y[i] + combine(op, r.a[i], r.b[i]) : combine(op, r.a[i], r.b[i]);
    } else if (r.y_step == 1 && r.a_step == 1 && r.b_step == 0) {
        const real b = *r.b;
#pragma omp simd
        for (int64_t i = 0; i < r.n; i++)
            r.y[i] = add ? r.y[i] + combine(op, r.a[i], b) : combine(op, r.a[i], b);
    } else if (r.y_step == 1 && r.a_step == 0 && r.b_step == 1) {
        const real a = *r.a;
#pragma omp simd
        for (int64_t i = 0; i < r.n; i++)
            r.y[i] = add ? r.y[i] + combine(op, a, r.b[i]) : combine(op, a, r.b[i]);
    } else {
        for (int64_t i = 0; i < r.n; i++) {
            real *y = r.y + i * r.y_step;
            const real value = combine(op, r.a[i * r.a_step], r.b[i * r.b_step]);
            *y = add ? *y + value : value;
        }
    }
}

static inline __attribute__((always_inline)) void run_either(enum mfm_binary op, bool add, row r)
{
    if (add)
        run_loops(op, true, r);
    else
        run_loops(op, false, r);
}

static void run_row(enum mfm_binary op, bool add, row r)
{
    switch (op) {
    case MFM_BINARY_ADD:
        run_either(MFM_BINARY_ADD, add, r);
        break;
    case MFM_BINARY_SUB:
        run_either(MFM_BINARY_SUB, add, r);
        break;
    case MFM_BINARY_MUL:
        run_either(MFM_BINARY_MUL, add, r);
        break;
    case MFM_BINARY_DIV:
        run_either(MFM_BINARY_DIV, add, r);
        break;
    }
}

static void binary_nest(enum mfm_binary op, mfm_nest *nest, const real *a, const real *b, real *y,
                        bool add)
{
    mfm_nest_collapse(nest, Y);
    const mfm_tiling tiling = mfm_nest_tiling(nest);
    const mfm_axis *line = &nest->axis[nest->rank - 2], *column = &nest->axis[nest->rank - 1];
#pragma omp parallel for if (mfm_nest_count(nest) > MFM_PARALLEL_FROM)
    for (int64_t t = 0; t < tiling.count; t++) {
        const mfm_tile tile = mfm_nest_tile(nest, &tiling, t);
        row r = {.n = tile.columns,
                 .a = a + tile.offset[A],
                 .b = b + tile.offset[B],
                 .y = y + tile.offset[Y],
                 .a_step = column->stride[A],
                 .b_step = column->stride[B],
                 .y_step = column->stride[Y]};
        for (int64_t i = 0; i < tile.rows; i++) {
            run_row(op, add, r);
            r.a += line->stride[A];
            r.b += line->stride[B];
            r.y += line->stride[Y];
        }
    }
}

/* One operand is zero, so the result is the other with a factor. */
static void binary_with_zero(enum mfm_binary op, const mfm_shape *full, const mfm_shape *a_shape,
                             const real *a, const mfm_shape *b_shape, const real *b, real *y,
                             bool add)
{
    const bool sum = op == MFM_BINARY_ADD || op == MFM_BINARY_SUB;
    if (!sum)
        mfm_broadcast_copy(full, full, NULL, 1, y, add);
    else if (a)
        mfm_broadcast_copy(full, a_shape, a, 1, y, add);
    else
        mfm_broadcast_copy(full, b_shape, b, op == MFM_BINARY_ADD ? 1 : -1, y, add);
}

void mfm_broadcast_binary(enum mfm_binary op, const mfm_shape *full, const mfm_shape *a_shape,
                          const real *a, const mfm_shape *b_shape, const real *b, real *y, bool add)
{
    if (!a || !b) {
        binary_with_zero(op, full, a_shape, a, b_shape, b, y, add);
        return;
    }
    int64_t a_stride[MFM_MAX_RANK], b_stride[MFM_MAX_RANK], y_stride[MFM_MAX_RANK];
    mfm_broadcast_strides(a_shape, full, a_stride);
    mfm_broadcast_strides(b_shape, full, b_stride);
    mfm_shape_strides(full, y_stride);
    mfm_nest nest = {0};
    for (int i = 0; i < full->rank; i++)
        mfm_nest_push(&nest, full->dim[i], a_stride[i], b_stride[i], y_stride[i]);
    binary_nest(op, &nest, a, b, y, add);
}

void mfm_broadcast_copy(const mfm_shape *full, const mfm_shape *shape, const real *x, real scale,
                        real *y, bool add)
{
    int64_t x_stride[MFM_MAX_RANK], y_stride[MFM_MAX_RANK];
    mfm_broadcast_strides(shape, full, x_stride);
    mfm_shape_strides(full, y_stride);
    mfm_strided_copy(full, x, x_stride, scale, y, y_stride, add);
}

void mfm_broadcast_reduce(const mfm_share *share, const mfm_shape *full, const real *g,
                          const mfm_shape *b_shape, const real *b, real scale,
                          const mfm_shape *shape, real *to, bool add)
{
    const bool stretched = mfm_shape_count(shape) != mfm_shape_count(full);
    int64_t g_stride[MFM_MAX_RANK], b_stride[MFM_MAX_RANK], to_stride[MFM_MAX_RANK];
    mfm_shape_strides(full, g_stride);
    mfm_broadcast_strides(shape, full, to_stride);
    if (b)
        mfm_broadcast_strides(b_shape, full, b_stride);
    if (stretched || (b && scale != 1)) {
        mfm_reduce(share, full, g, g_stride, b, b_stride, scale, to, to_stride, add);
    } else if (g && b) {
        mfm_nest nest = {0};
        for (int i = 0; i < full->rank; i++)
            mfm_nest_push(&nest, full->dim[i], g_stride[i], b_stride[i], to_stride[i]);
        binary_nest(MFM_BINARY_MUL, &nest, g, b, to, add);
    } else {
        mfm_strided_copy(full, g, g_stride, scale, to, to_stride, add);
    }
}
