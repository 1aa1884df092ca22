/*
 * Transforms of the minimal algorithm F(4 x 4, 3 x 3) for convolutions by 3 x 3 with stride 1
 * (S. Winograd 1980; A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks",
 * CVPR 2016, arXiv:1509.09308). For a 6 x 6 tile d of the input, a kernel g and the 4 x 4 tile y of
 * the result,
 *     y = A^T [ (G g G^T) * (B^T d B) ] A,
 * 36 multiplications instead of 144. The points are 0, +-3/4, +-3/2 and infinity: their rounding
 * errors are half of those of the usual 0, +-1, +-2.
 *
 * Points of the transformed tiles are apart by `point` reals, a vector of channels is dense. All
 * calls work on MFM_VEC_LANES channels; on the side of the results fewer may be there.
 */
#ifndef MFM_WINOGRAD_H
#define MFM_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/real.h"

enum { MFM_WINOGRAD_OUT = 4, MFM_WINOGRAD_IN = 6, MFM_WINOGRAD_POINTS = 36 };

/* F(3 x 3, 3 x 3), on the points +-3/8, +-5/4 and infinity: 25 multiplications for 9 results, and
 * the rounding errors of the defining sums. For the gradient of the weights, where it covers the
 * results with fewer products. */
enum { MFM_WINOGRAD_MIDDLE_OUT = 3, MFM_WINOGRAD_MIDDLE_IN = 5, MFM_WINOGRAD_MIDDLE_POINTS = 25 };

/* F(2 x 2, 3 x 3), on the points 0, +-1 and infinity: 16 multiplications for 4 results, and no more
 * rounding than the defining sums. Forward only. */
enum { MFM_WINOGRAD_SMALL_OUT = 2, MFM_WINOGRAD_SMALL_IN = 4, MFM_WINOGRAD_SMALL_POINTS = 16 };

/* Part of an image [rows, columns] in channels-last memory: its corner, what of the tile lies
 * inside the image (the rest is zero, or not written). */
typedef struct mfm_winograd_tile {
    int64_t row_step, column_step; /* reals from a row to the next, from a column to the next */
    int64_t row0, row1, column0, column1; /* inside: row0 <= row < row1 of the tile */
    int64_t lanes; /* results only: channels there are, up to MFM_VEC_LANES; others are zero */
} mfm_winograd_tile;

/* What a convolution needs to know of a transform; functions that it has no use for are NULL. */
typedef struct mfm_winograd_form {
    int out, points; /* side of a tile of results; products of a tile */
    /* to = B^T d B. `corner` is where the tile's element (0, 0) lies or would lie. */
    void (*input)(const real *corner, const mfm_winograd_tile *tile, real *to, int64_t point);
    /* y = [y +] A^T m A */
    void (*output)(const real *m, int64_t point, const mfm_winograd_tile *tile, real *corner,
                   bool add);
    /* to = G g G^T for kernels g [3][3] that are `tap` reals apart. */
    void (*kernel)(const real *g, int64_t tap, real *to, int64_t point);
    /* to = A g A^T: the adjoint of output, for a tile g of the result's gradient */
    void (*gradient)(const real *corner, const mfm_winograd_tile *tile, real *to, int64_t point);
    /* g = [g +] G^T u G: the adjoint of kernel */
    void (*kernel_gradient)(const real *u, int64_t point, real *g, int64_t tap, bool add);
} mfm_winograd_form;
extern const mfm_winograd_form mfm_winograd_large, mfm_winograd_middle, mfm_winograd_small;

#endif
