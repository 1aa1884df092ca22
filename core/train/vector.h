/* Flat vectors with a graph's parameter layout: gradients, moments, copies of the weights. */
#ifndef MFM_VECTOR_H
#define MFM_VECTOR_H

#include "core/base/context.h"
#include "core/base/real.h"

/* count reals on a 64-byte boundary: a copy of from, or zeros when from is NULL. The caller frees
 * *vector with mfm_free_aligned; it is NULL after a failure. */
int mfm_vector_new(mfm_ctx *ctx, const real *from, size_t count, real **vector);

#endif
