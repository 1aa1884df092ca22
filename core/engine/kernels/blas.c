#include "core/engine/kernels/blas.h"

#include <cblas.h>

#ifdef MFM_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

void mfm_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, real alpha,
              const real *a, int64_t lda, const real *b, int64_t ldb, real beta, real *c,
              int64_t ldc)
{
    GEMM(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
         transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, alpha, a,
         (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}
