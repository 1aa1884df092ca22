/* Sums over some axes of a strided view: ReduceMean, and the adjoint of every broadcast. */
#ifndef MFM_REDUCE_H
#define MFM_REDUCE_H

#include "core/base/shape.h"
#include "core/base/share.h"

/* to = [to +] scale * sum of g * b over the axes of `shape` along which to_stride is 0; along the
 * others to_stride must lead to distinct elements. b NULL is one, g NULL is zero. The sums are
 * taken in double, and do not depend on the number of threads. Where axis 0 is summed over and has
 * several samples of `share` (NULL: none has), each chunk's sum is taken in double, and chunks are
 * added along the tree. Nothing may overlap `to`. */
void mfm_reduce(const mfm_share *share, const mfm_shape *shape, const real *g,
                const int64_t *g_stride, const real *b, const int64_t *b_stride, real scale,
                real *to, const int64_t *to_stride, bool add);
/* Whether it adds up over the samples of the share. */
bool mfm_reduces_samples(const mfm_share *share, const mfm_shape *shape, const int64_t *to_stride);

#endif
