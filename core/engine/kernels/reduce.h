/* Sums over some axes of a strided view: ReduceMean, and the adjoint of every broadcast. */
#ifndef MFM_REDUCE_H
#define MFM_REDUCE_H

#include "core/base/shape.h"

/* to = [to +] scale * sum of g * b over the axes of `shape` along which to_stride is 0; along the
 * others to_stride must lead to distinct elements. b NULL is one, g NULL is zero. The sums are
 * taken in double, and do not depend on the number of threads. Nothing may overlap `to`. */
void mfm_reduce(const mfm_shape *shape, const real *g, const int64_t *g_stride, const real *b,
                const int64_t *b_stride, real scale, real *to, const int64_t *to_stride, bool add);

#endif
