/*
 * Small dense products over vectors of channels: the inner loops of the convolutions.
 *
 * Matrices [rows, channels] are stored in blocks of MFM_VEC_LANES channels: element (r, c) at
 * [c / LANES][r][c % LANES], a block `step` reals after the one before. Rows of a block are dense,
 * so that all the addresses of a panel are one register and constants.
 */
#ifndef MFM_PANEL_H
#define MFM_PANEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/real.h"

/* c [rows, width] = a [rows, depth] b [depth, width]; a and c in blocks, a_step and c_step apart, b
 * dense. depth and width are multiples of MFM_VEC_LANES. */
typedef struct mfm_panel_product {
    int64_t rows, depth, width;
    const real *a, *b;
    real *c;
    int64_t a_step, c_step;
} mfm_panel_product;
void mfm_panel_multiply(const mfm_panel_product *product);

/* c [height, width] = [c +] a^T b of a [rows, height] and b [rows, width]; a and b in blocks,
 * a_step and b_step apart, c dense. height and width are multiples of MFM_VEC_LANES. */
typedef struct mfm_panel_outer {
    int64_t rows, height, width;
    const real *a, *b;
    real *c;
    int64_t a_step, b_step;
    bool add;
} mfm_panel_outer;
void mfm_panel_add_outer(const mfm_panel_outer *outer);

#endif
