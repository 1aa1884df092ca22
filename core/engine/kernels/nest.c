#include "core/engine/kernels/nest.h"

#include <string.h>

/* Elements in a tile: enough to hide the cost of finding it, few enough to stay in a first-level
 * cache and to share out. */
enum { TILE = 8192 };

void mfm_nest_push(mfm_nest *nest, int64_t dim, int64_t stride0, int64_t stride1, int64_t stride2)
{
    nest->axis[nest->rank++] = (mfm_axis){dim, {stride0, stride1, stride2}};
}

static void drop_units(mfm_nest *nest)
{
    int kept = 0;
    for (int i = 0; i < nest->rank; i++)
        if (nest->axis[i].dim != 1)
            nest->axis[kept++] = nest->axis[i];
    nest->rank = kept;
}

static int64_t magnitude(int64_t stride)
{
    return stride < 0 ? -stride : stride;
}

/* Insertion sort: there are few axes, and equal ones keep their order. */
static void order_by(mfm_nest *nest, int lead)
{
    for (int i = 1; i < nest->rank; i++) {
        const mfm_axis axis = nest->axis[i];
        int at = i;
        for (; at > 0 && magnitude(nest->axis[at - 1].stride[lead]) < magnitude(axis.stride[lead]);
             at--)
            nest->axis[at] = nest->axis[at - 1];
        nest->axis[at] = axis;
    }
}

static bool continues(const mfm_axis *outer, const mfm_axis *inner)
{
    for (int k = 0; k < MFM_NEST_OPERANDS; k++)
        if (outer->stride[k] != inner->stride[k] * inner->dim)
            return false;
    return true;
}

static void merge(mfm_nest *nest)
{
    int last = 0;
    for (int i = 1; i < nest->rank; i++) {
        mfm_axis *outer = &nest->axis[last];
        const mfm_axis inner = nest->axis[i];
        if (continues(outer, &inner)) {
            outer->dim *= inner.dim;
            memcpy(outer->stride, inner.stride, sizeof outer->stride);
        } else {
            nest->axis[++last] = inner;
        }
    }
    if (nest->rank)
        nest->rank = last + 1;
}

void mfm_nest_collapse(mfm_nest *nest, int lead)
{
    drop_units(nest);
    order_by(nest, lead);
    merge(nest);
    while (nest->rank < 2) {
        memmove(&nest->axis[1], &nest->axis[0], (size_t)nest->rank * sizeof nest->axis[0]);
        nest->axis[0] = (mfm_axis){.dim = 1};
        nest->rank++;
    }
}

int64_t mfm_nest_count(const mfm_nest *nest)
{
    int64_t count = 1;
    for (int i = 0; i < nest->rank; i++)
        count *= nest->axis[i].dim;
    return count;
}

void mfm_nest_seek(const mfm_nest *nest, int axes, int64_t index, int64_t offset[MFM_NEST_OPERANDS])
{
    for (int i = axes - 1; i >= 0; i--) {
        const mfm_axis *axis = &nest->axis[i];
        const int64_t at = i ? index % axis->dim : index;
        index = i ? index / axis->dim : 0;
        for (int k = 0; k < MFM_NEST_OPERANDS; k++)
            offset[k] += at * axis->stride[k];
    }
}

mfm_tiling mfm_nest_blocks(const mfm_nest *nest, int64_t most_rows, int64_t most_columns)
{
    mfm_tiling tiling = {0};
    const int64_t count = mfm_nest_count(nest);
    if (count == 0)
        return tiling;
    const int64_t rows = nest->axis[nest->rank - 2].dim;
    const int64_t columns = nest->axis[nest->rank - 1].dim;
    tiling.columns = mfm_smaller(columns, most_columns);
    tiling.rows = mfm_smaller(rows, most_rows);
    tiling.column_blocks = (columns + tiling.columns - 1) / tiling.columns;
    tiling.row_blocks = (rows + tiling.rows - 1) / tiling.rows;
    tiling.count = count / (rows * columns) * tiling.row_blocks * tiling.column_blocks;
    return tiling;
}

mfm_tiling mfm_nest_tiling(const mfm_nest *nest)
{
    const int64_t dim = nest->axis[nest->rank - 1].dim;
    const int64_t columns = dim < 1 ? 1 : mfm_smaller(dim, TILE);
    return mfm_nest_blocks(nest, (TILE + columns - 1) / columns, columns);
}

mfm_tile mfm_nest_tile(const mfm_nest *nest, const mfm_tiling *tiling, int64_t index)
{
    const mfm_axis *row = &nest->axis[nest->rank - 2], *column = &nest->axis[nest->rank - 1];
    const int64_t column_at = index % tiling->column_blocks * tiling->columns;
    index /= tiling->column_blocks;
    const int64_t row_at = index % tiling->row_blocks * tiling->rows;
    index /= tiling->row_blocks;
    mfm_tile tile = {.rows = mfm_smaller(tiling->rows, row->dim - row_at),
                     .columns = mfm_smaller(tiling->columns, column->dim - column_at)};
    mfm_nest_seek(nest, nest->rank - 2, index, tile.offset);
    for (int k = 0; k < MFM_NEST_OPERANDS; k++)
        tile.offset[k] += row_at * row->stride[k] + column_at * column->stride[k];
    return tile;
}
