/*
 * Windows of channels-last images as matrix rows. Result rows are counted over all images: row
 * r = image * oh + y holds ow windows. The columns of windows [r0, r1) of one group form the matrix
 * [(r1 - r0) * ow, kh * kw * c / groups], zero where a window lies in the padding.
 */
#ifndef MFM_IM2COL_H
#define MFM_IM2COL_H

#include "core/engine/kernels/conv/conv.h"

void mfm_im2col(const mfm_conv_shape *shape, int64_t group, int64_t r0, int64_t r1, const real *x,
                real *columns);
/* The adjoint: adds every column to where it came from. */
void mfm_im2col_adjoint(const mfm_conv_shape *shape, int64_t group, int64_t r0, int64_t r1,
                        const real *columns, real *gx);

#endif
