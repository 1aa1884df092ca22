/* numpy's broadcasting on logical axes: elementwise arithmetic, copies, and their adjoints. */
#ifndef MFM_BROADCAST_H
#define MFM_BROADCAST_H

#include "core/base/shape.h"
#include "core/base/share.h"

enum mfm_binary { MFM_BINARY_ADD, MFM_BINARY_SUB, MFM_BINARY_MUL, MFM_BINARY_DIV };

/* The common shape: aligned at the last axis, a length of 1 stretches. False when a and b do not
 * fit. */
bool mfm_broadcast_shape(const mfm_shape *a, const mfm_shape *b, mfm_shape *full);
/* Strides of a stored tensor of `shape` when walked along the axes of `full`, to which it must
 * broadcast. */
void mfm_broadcast_strides(const mfm_shape *shape, const mfm_shape *full,
                           int64_t stride[MFM_MAX_RANK]);
/* A walk along the axes of `full` in row-major order: moves *at, which begins at 0 as all of
 * `index` does, to the next number of a tensor with these strides. */
void mfm_broadcast_next(const mfm_shape *full, const int64_t stride[MFM_MAX_RANK],
                        int64_t index[MFM_MAX_RANK], int64_t *at);

/* Whether a stored tensor of `shape`, which must broadcast to `full`, lies in memory otherwise. */
bool mfm_broadcast_stretches(const mfm_shape *shape, const mfm_shape *full);

/* y[full] = [y +] a op b. A NULL operand is zero (not the divisor). y may be an operand of shape
 * `full` itself. */
void mfm_broadcast_binary(enum mfm_binary op, const mfm_shape *full, const mfm_shape *a_shape,
                          const real *a, const mfm_shape *b_shape, const real *b, real *y,
                          bool add);
/* y[full] = [y +] scale * x; x NULL is zero. */
void mfm_broadcast_copy(const mfm_shape *full, const mfm_shape *shape, const real *x, real scale,
                        real *y, bool add);
/* The adjoint: to[shape] = [to +] scale * sum of g[full] * b over the axes along which shape was
 * stretched. b NULL (b_shape is not read then) is one, g NULL is zero. Sums over the samples of the
 * share go by its chunks (reduce.h). */
void mfm_broadcast_reduce(const mfm_share *share, const mfm_shape *full, const real *g,
                          const mfm_shape *b_shape, const real *b, real scale,
                          const mfm_shape *shape, real *to, bool add);

#endif
