/*
 * Products of small matrices, of one thread: [m, k] by [k, n] whose right factor has been packed
 * into panels, so that it is read close together however often it is used. Every element of the
 * result is one chain over k from the first to the last, whatever the other sizes.
 */
#ifndef MFM_PANELS_H
#define MFM_PANELS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/shape.h"
#include "core/engine/kernels/vec.h"

enum { MFM_PANEL_WIDTH = (MFM_VEC_REGISTERS == 32 ? 4 : 2) * MFM_VEC_LANES };

/* A matrix wherever it lies: element (i, j) at[i * row + j * column]. */
typedef struct mfm_strided {
    const real *at;
    int64_t row, column;
} mfm_strided;

/* Up to the next whole vector. */
static inline int64_t mfm_panels_padded(int64_t n)
{
    return (n + MFM_VEC_LANES - 1) / MFM_VEC_LANES * MFM_VEC_LANES;
}

/* Reals of a packed [k, n]. */
size_t mfm_panels_size(int64_t k, int64_t n);
/* panels = scale from, [k, n]; zeros between n and the next whole vector. */
void mfm_panels_pack(mfm_strided from, int64_t k, int64_t n, real scale, real *panels);
/* c [m, padded n] = [c +] a [m, k] by panels [k, n]; rows of c are ldc apart. */
void mfm_panels_multiply(mfm_strided a, int64_t m, int64_t k, const real *panels, int64_t n,
                         bool add, real *c, int64_t ldc);

#endif
