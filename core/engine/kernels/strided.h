/*
 * Copies between strided views of one logical shape, and reshapes. Strides count elements and may
 * be negative; those of a source may be 0 (broadcast), those of a result not. Source and result
 * must not overlap, unless they are the very same view.
 */
#ifndef MFM_STRIDED_H
#define MFM_STRIDED_H

#include "core/base/shape.h"

/* to[i] = [to[i] +] scale * from[i] over all indices i of shape; from NULL is zero. */
void mfm_strided_copy(const mfm_shape *shape, const real *from, const int64_t *from_stride,
                      real scale, real *to, const int64_t *to_stride, bool add);
void mfm_strided_fill(const mfm_shape *shape, real value, real *to, const int64_t *to_stride);

/* to = [to +] from, both stored tensors of equally many elements in the same row-major logical
 * order: ONNX's Reshape. from NULL is zero. A plain copy wherever the storage orders agree. */
void mfm_reshape_copy(const mfm_shape *from_shape, const real *from, const mfm_shape *to_shape,
                      real *to, bool add);
/* Whether the numbers of both lie in the same order in memory; not asked of empty ones (false). */
bool mfm_reshape_is_plain(const mfm_shape *from, const mfm_shape *to);

#endif
