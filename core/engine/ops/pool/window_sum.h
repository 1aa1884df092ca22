/* Sums over windows, and their adjoint: AveragePool and LpPool. */
#ifndef MFM_WINDOW_SUM_H
#define MFM_WINDOW_SUM_H

#include "core/engine/ops/images/window.h"

/* What the sum of a window is divided by: nothing; its taps inside the image; its taps inside the
 * image and the padding. */
enum mfm_window_share { MFM_SHARE_ONE, MFM_SHARE_INSIDE, MFM_SHARE_PADDED };

/* y = the sums of x, a tensor of shape `in`, which the window was made for. */
void mfm_window_sum(const mfm_window *window, const mfm_shape *in, enum mfm_window_share share,
                    const real *x, real *y);
/* gx = [gx +] g at every tap that was summed; g NULL is zero. */
void mfm_window_spread(const mfm_window *window, const mfm_shape *in, enum mfm_window_share share,
                       const real *g, real *gx, bool add);

#endif
