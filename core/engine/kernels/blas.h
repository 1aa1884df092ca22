/* Matrix products, row-major, by OpenBLAS. The only user of cblas.h is blas.c. */
#ifndef MFM_BLAS_H
#define MFM_BLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/real.h"

/* Sizes and row lengths are in [0, MFM_GEMM_MAX], row lengths at least 1. */
enum { MFM_GEMM_MAX = 1 << 30 };

/* c[m,n] = alpha op(a) op(b) + beta c, op(a) is [m,k], op(b) is [k,n]; ld* are row lengths in
 * memory. beta 0 overwrites c, whatever it holds. */
void mfm_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, real alpha,
              const real *a, int64_t lda, const real *b, int64_t ldb, real beta, real *c,
              int64_t ldc);

#endif
