/* All kernels of a convolution by 3 x 3 to the points of winograd.h, and their gradient back. */
#ifndef MFM_WINOGRAD_KERNELS_H
#define MFM_WINOGRAD_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine/kernels/conv/winograd/winograd.h"

/* Weights [o][3][3][c]; c is a multiple of MFM_VEC_LANES, and so is width, the room for o in
 * transformed kernels. Work is done in `parts` threads. */
typedef struct mfm_kernels {
    const mfm_winograd_form *form;
    int64_t o, c, width;
    int parts;
} mfm_kernels;

/* u [points][depth][width], zero beyond o: its rows [0, c) at every point, transposed. Two kernels
 * with depth 2 c make one of twice the channels. */
void mfm_winograd_kernels(mfm_kernels k, const real *w, int64_t depth, real *u);
/* mfm_winograd_large only. u [36][o][c]: the kernels turned by 180 degrees, for the gradient of the
 * images; width is o. */
void mfm_winograd_turned_kernels(mfm_kernels k, const real *w, real *u);
/* mfm_winograd_large only. gw = [gw +] what the sums s [36][width][c], those of each point `step`
 * apart, are the transform's gradient of. */
void mfm_winograd_kernel_sums(mfm_kernels k, const real *s, int64_t step, real *gw, bool add);

#endif
