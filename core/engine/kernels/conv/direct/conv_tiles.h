/*
 * The inner loop of direct convolution: tiles of accumulators that stay in registers. For every
 * point p, and for vectors of lanes l,
 *     out[out_at[p] + l] = [out +] start[l] + sum_i sum_t a[p a_point + t a_tap + i a_row]
 *                                                       * b[t b_tap + i b_row + l]
 * with i over rows and t over taps: numbers of a are broadcast, runs of b are vectors. After every
 * set_rows rows, a is a_skip further. All three directions of a convolution have this form
 * (conv_direct.c).
 */
#ifndef MFM_CONV_TILES_H
#define MFM_CONV_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/engine/kernels/vec.h"

/* The machine's widest vectors, and half of them for short runs. */
enum { MFM_WIDE_LANES = MFM_VEC_LANES, MFM_NARROW_LANES = MFM_VEC_LANES / 2 };

typedef struct mfm_tiles {
    ptrdiff_t a_point, a_tap, a_row, a_skip, b_tap, b_row;
    int64_t points, vectors, taps, rows, set_rows;
    const real *start;       /* [lanes of all vectors], NULL for zeros */
    const ptrdiff_t *out_at; /* [points] */
    bool add;
} mfm_tiles;

/* Reads whole vectors of b and start, and writes whole vectors of out, in the order of the points:
 * where one's reach into the next one's, overwriting leaves those of the next. */
typedef void mfm_tiles_fn(const mfm_tiles *tiles, const real *a, const real *b, real *out);

mfm_tiles_fn mfm_tiles_wide, mfm_tiles_narrow;

#endif
