/*
 * The inner loop of direct convolution: tiles of accumulators that stay in registers. For every
 * point p, and for vectors of lanes l,
 *     out[p out_point + l] = [out +] sum_i sum_t a[p a_point + t a_tap + i a_row]
 *                                              * b[t b_tap + i b_row + l]
 * with i over rows and t over taps: numbers of a are broadcast, runs of b are vectors. All three
 * directions of a convolution have this form (conv_direct.c).
 */
#ifndef MFM_CONV_TILES_H
#define MFM_CONV_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/engine/real.h"

/* Bytes of the vectors: the machine's widest, and half of them for short runs. */
#if defined __AVX512F__
#define MFM_WIDE_BYTES 64
#elif defined __AVX__
#define MFM_WIDE_BYTES 32
#else
#define MFM_WIDE_BYTES 16
#endif

enum { MFM_WIDE_LANES = MFM_WIDE_BYTES / (int)sizeof(real), MFM_NARROW_LANES = MFM_WIDE_LANES / 2 };

typedef struct mfm_tiles {
    ptrdiff_t a_point, a_tap, a_row, b_tap, b_row, out_point;
    int64_t points, vectors, rows, taps;
    bool add;
} mfm_tiles;

/* Reads whole vectors of b and writes whole vectors of out. Where a point's vectors reach into the
 * next point's (out_point is no multiple of the lanes), overwriting leaves each point's own values;
 * adding adds what the sums say. */
typedef void mfm_tiles_fn(const mfm_tiles *tiles, const real *a, const real *b, real *out);

mfm_tiles_fn mfm_tiles_wide, mfm_tiles_narrow;

#endif
