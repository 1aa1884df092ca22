/*
 * Loop nests over several strided operands of one logical shape. A nest is built axis by axis, put
 * into its simplest form (units dropped, axes that lie one behind the other in every operand
 * merged) and then walked in tiles of rows and columns, which are the units of parallel work.
 */
#ifndef MFM_NEST_H
#define MFM_NEST_H

#include "core/base/shape.h"

/* A reshape meets at most the axes of both shapes. */
enum { MFM_NEST_AXES = 2 * MFM_MAX_RANK, MFM_NEST_OPERANDS = 3 };

/* Below this many elements one thread does all. */
enum { MFM_PARALLEL_FROM = 16384 };

typedef struct mfm_axis {
    int64_t dim;
    int64_t stride[MFM_NEST_OPERANDS]; /* 0: the operand is broadcast along it */
} mfm_axis;

/* Outermost axis first. */
typedef struct mfm_nest {
    int rank;
    mfm_axis axis[MFM_NEST_AXES];
} mfm_nest;

/* Adds an axis inside those already there. Operands that are not there get stride 0. */
void mfm_nest_push(mfm_nest *nest, int64_t dim, int64_t stride0, int64_t stride1, int64_t stride2);
/* Drops axes of length 1, orders the others by falling stride of operand `lead`, merges neighbours
 * that all operands allow to be one, and adds units in front until there are at least two axes. */
void mfm_nest_collapse(mfm_nest *nest, int lead);
int64_t mfm_nest_count(const mfm_nest *nest);
/* Adds to offset[] where the operands are at the flat index over the first `axes` axes. */
void mfm_nest_seek(const mfm_nest *nest, int axes, int64_t index,
                   int64_t offset[MFM_NEST_OPERANDS]);

/* How a collapsed nest is cut: blocks over its two innermost axes. */
typedef struct mfm_tiling {
    int64_t rows, columns;             /* largest block */
    int64_t row_blocks, column_blocks; /* blocks along each of the two axes */
    int64_t count;                     /* of tiles; 0 for an empty nest */
} mfm_tiling;

typedef struct mfm_tile {
    int64_t rows, columns;
    int64_t offset[MFM_NEST_OPERANDS]; /* of its first element */
} mfm_tile;

mfm_tiling mfm_nest_tiling(const mfm_nest *nest);
/* Into blocks of at most so many rows and columns. */
mfm_tiling mfm_nest_blocks(const mfm_nest *nest, int64_t most_rows, int64_t most_columns);
mfm_tile mfm_nest_tile(const mfm_nest *nest, const mfm_tiling *tiling, int64_t index);

#endif
