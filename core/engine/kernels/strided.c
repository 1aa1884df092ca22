#include "core/engine/kernels/strided.h"

#include <string.h>

#include "core/engine/kernels/nest.h"
#include "core/engine/kernels/transpose.h"

/* Operands of the nests here. */
enum { FROM, TO };
/* Elements of a short row written out several times. */
enum { PATTERN = 256 };
/* Of both axes of a transposed tile: what is read and what is written stay in a first-level cache.
 */
enum { LANES = MFM_VEC_LANES, SQUARE = 64 };

static void add_row(int64_t n, const real *from, int64_t from_step, real scale, real *to,
                    int64_t to_step)
{
    if (from_step == 1 && to_step == 1) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            to[i] += scale * from[i];
    } else if (from_step == 0 && to_step == 1) {
        const real value = scale * from[0];
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            to[i] += value;
    } else {
        for (int64_t i = 0; i < n; i++)
            to[i * to_step] += scale * from[i * from_step];
    }
}

static void copy_row(int64_t n, const real *from, int64_t from_step, real scale, real *to,
                     int64_t to_step)
{
    if (from_step == 1 && to_step == 1 && scale == 1) {
        memmove(to, from, (size_t)n * sizeof *to);
    } else if (from_step == 1 && to_step == 1) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            to[i] = scale * from[i];
    } else if (from_step == 0 && to_step == 1) {
        const real value = scale * from[0];
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            to[i] = value;
    } else {
        for (int64_t i = 0; i < n; i++)
            to[i * to_step] = scale * from[i * from_step];
    }
}

/* One tile of a nest of (FROM, TO), along its two innermost axes. */
static void copy_tile(const mfm_axis *row, const mfm_axis *column, const mfm_tile *tile,
                      const real *from, real scale, real *to, bool add)
{
    for (int64_t r = 0; r < tile->rows; r++) {
        const real *source = from + tile->offset[FROM] + r * row->stride[FROM];
        real *result = to + tile->offset[TO] + r * row->stride[TO];
        if (add)
            add_row(tile->columns, source, column->stride[FROM], scale, result, column->stride[TO]);
        else
            copy_row(tile->columns, source, column->stride[FROM], scale, result,
                     column->stride[TO]);
    }
}

/* A short row that goes to many rows one behind the other, as a bias does: written out a few times,
 * it goes there in long rows. */
static bool repeats_row(const mfm_axis *row, const mfm_axis *column, const mfm_tile *tile)
{
    return row->stride[FROM] == 0 && column->stride[FROM] == 1 && column->stride[TO] == 1 &&
           row->stride[TO] == tile->columns && tile->columns <= PATTERN / 4 &&
           tile->rows * tile->columns >= 4 * PATTERN;
}

static void repeat_row(const mfm_tile *tile, const real *from, real scale, real *to, bool add)
{
    real pattern[PATTERN];
    const int64_t columns = tile->columns, length = PATTERN - PATTERN % columns;
    for (int64_t i = 0; i < length; i++)
        pattern[i] = scale * from[tile->offset[FROM] + i % columns];
    const int64_t count = tile->rows * columns;
    real *result = to + tile->offset[TO];
    for (int64_t i = 0; i < count; i += length) {
        const int64_t n = count - i < length ? count - i : length;
        if (add)
            add_row(n, pattern, 1, 1, result + i, 1);
        else
            copy_row(n, pattern, 1, 1, result + i, 1);
    }
}

/* Puts the axis along which FROM lies one number behind the other beside the innermost one, where
 * TO does; false when they are the same, or one of them is not there. */
static bool faces_across(mfm_nest *nest)
{
    const int last = nest->rank - 1;
    if (nest->axis[last].stride[TO] != 1 || nest->axis[last].stride[FROM] < LANES ||
        nest->axis[last].dim < LANES)
        return false;
    for (int i = last - 1; i >= 0; i--)
        if (nest->axis[i].stride[FROM] == 1 && nest->axis[i].dim >= LANES) {
            const mfm_axis across = nest->axis[i];
            memmove(&nest->axis[i], &nest->axis[i + 1],
                    (size_t)(last - 1 - i) * sizeof nest->axis[0]);
            nest->axis[last - 1] = across;
            return true;
        }
    return false;
}

/* to [LANES, LANES], rows `step` apart, = [to +] from^T */
static void turn_block(const real *from, int64_t from_step, real *to, int64_t step, bool add)
{
    real turned[LANES * LANES];
    if (!add) {
        mfm_transpose_block(from, from_step, to, step);
        return;
    }
    mfm_transpose_block(from, from_step, turned, LANES);
    for (int i = 0; i < LANES; i++)
        mfm_vec_store(to + i * step,
                      mfm_vec_load(to + i * step) + mfm_vec_load(turned + i * LANES));
}

/* A tile whose rows lie together in FROM and whose columns do in TO. */
static void turn_tile(const mfm_axis *row, const mfm_axis *column, const mfm_tile *tile,
                      const real *from, real *to, bool add)
{
    const int64_t from_step = column->stride[FROM], step = row->stride[TO];
    const int64_t rows = tile->rows / LANES * LANES, columns = tile->columns / LANES * LANES;
    from += tile->offset[FROM];
    to += tile->offset[TO];
    for (int64_t c = 0; c < columns; c += LANES)
        for (int64_t r = 0; r < rows; r += LANES)
            turn_block(from + c * from_step + r, from_step, to + r * step + c, step, add);
    for (int64_t r = 0; r < tile->rows; r++)
        for (int64_t c = r < rows ? columns : 0; c < tile->columns; c++) {
            const real value = from[c * from_step + r];
            real *element = to + r * step + c;
            *element = add ? *element + value : value;
        }
}

static void turn_nest(const mfm_nest *nest, const real *from, real *to, bool add)
{
    const mfm_tiling tiling = mfm_nest_blocks(nest, SQUARE, SQUARE);
    const mfm_axis *row = &nest->axis[nest->rank - 2], *column = &nest->axis[nest->rank - 1];
#pragma omp parallel for if (mfm_nest_count(nest) > MFM_PARALLEL_FROM)
    for (int64_t t = 0; t < tiling.count; t++) {
        const mfm_tile tile = mfm_nest_tile(nest, &tiling, t);
        turn_tile(row, column, &tile, from, to, add);
    }
}

static void copy_nest(mfm_nest *nest, const real *from, real scale, real *to, bool add)
{
    mfm_nest_collapse(nest, TO);
    if (scale == 1 && faces_across(nest)) {
        turn_nest(nest, from, to, add);
        return;
    }
    const mfm_tiling tiling = mfm_nest_tiling(nest);
    const mfm_axis *row = &nest->axis[nest->rank - 2], *column = &nest->axis[nest->rank - 1];
#pragma omp parallel for if (mfm_nest_count(nest) > MFM_PARALLEL_FROM)
    for (int64_t t = 0; t < tiling.count; t++) {
        const mfm_tile tile = mfm_nest_tile(nest, &tiling, t);
        if (repeats_row(row, column, &tile))
            repeat_row(&tile, from, scale, to, add);
        else
            copy_tile(row, column, &tile, from, scale, to, add);
    }
}

void mfm_strided_copy(const mfm_shape *shape, const real *from, const int64_t *from_stride,
                      real scale, real *to, const int64_t *to_stride, bool add)
{
    if (!from) {
        if (!add)
            mfm_strided_fill(shape, 0, to, to_stride);
        return;
    }
    mfm_nest nest = {0};
    for (int i = 0; i < shape->rank; i++)
        mfm_nest_push(&nest, shape->dim[i], from_stride[i], to_stride[i], 0);
    copy_nest(&nest, from, scale, to, add);
}

void mfm_strided_fill(const mfm_shape *shape, real value, real *to, const int64_t *to_stride)
{
    mfm_nest nest = {0};
    for (int i = 0; i < shape->rank; i++)
        mfm_nest_push(&nest, shape->dim[i], 0, to_stride[i], 0);
    copy_nest(&nest, &value, 1, to, false);
}

/* The axes of a stored tensor in logical order, innermost first, with as few of them as walk it in
 * row-major order: one for every rank but 4. */
typedef struct walk {
    int rank;
    int64_t dim[MFM_MAX_RANK], stride[MFM_MAX_RANK];
} walk;

static walk walk_of(const mfm_shape *shape)
{
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(shape, stride);
    walk w = {0};
    for (int i = shape->rank - 1; i >= 0; i--) {
        if (shape->dim[i] == 1)
            continue;
        const int last = w.rank - 1;
        if (w.rank && stride[i] == w.stride[last] * w.dim[last]) {
            w.dim[last] *= shape->dim[i];
        } else {
            w.dim[w.rank] = shape->dim[i];
            w.stride[w.rank++] = stride[i];
        }
    }
    return w;
}

static int64_t walk_offset(const walk *w, int64_t index)
{
    int64_t offset = 0;
    for (int i = 0; i < w->rank; i++) {
        offset += index % w->dim[i] * w->stride[i];
        index /= w->dim[i];
    }
    return offset;
}

/* The nest whose axes both walks can be cut into; false when no such cut exists, as between
 * [.., 4, 6] and [.., 6, 4]. Works from the innermost axis outwards: the shorter one is cut off the
 * longer. */
static bool common_nest(walk from, walk to, mfm_nest *nest)
{
    for (int i = 0, j = 0; i < from.rank && j < to.rank;) {
        const int64_t dim = from.dim[i] < to.dim[j] ? from.dim[i] : to.dim[j];
        if (from.dim[i] % dim || to.dim[j] % dim)
            return false;
        mfm_nest_push(nest, dim, from.stride[i], to.stride[j], 0);
        from.dim[i] /= dim;
        from.stride[i] *= dim;
        to.dim[j] /= dim;
        to.stride[j] *= dim;
        i += from.dim[i] == 1;
        j += to.dim[j] == 1;
    }
    return true;
}

bool mfm_reshape_is_plain(const mfm_shape *from, const mfm_shape *to)
{
    mfm_nest nest = {0};
    if (mfm_shape_count(from) == 0 || !common_nest(walk_of(from), walk_of(to), &nest))
        return false;
    for (int i = 0; i < nest.rank; i++)
        if (nest.axis[i].stride[FROM] != nest.axis[i].stride[TO])
            return false;
    return true;
}

void mfm_reshape_copy(const mfm_shape *from_shape, const real *from, const mfm_shape *to_shape,
                      real *to, bool add)
{
    const int64_t count = mfm_shape_count(to_shape);
    if (count == 0 || (!from && add))
        return;
    if (!from) {
        memset(to, 0, (size_t)count * sizeof *to);
        return;
    }
    const walk source = walk_of(from_shape), result = walk_of(to_shape);
    mfm_nest nest = {0};
    if (common_nest(source, result, &nest)) {
        copy_nest(&nest, from, 1, to, add);
        return;
    }
#pragma omp parallel for if (count > MFM_PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++) {
        real *element = to + walk_offset(&result, i);
        const real value = from[walk_offset(&source, i)];
        *element = add ? *element + value : value;
    }
}
