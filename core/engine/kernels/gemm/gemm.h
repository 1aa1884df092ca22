/*
 * Matrix products, row-major, whose every element has the same bits whatever the other sizes, the
 * number of threads and the place of its row or column: one chain of multiplications and additions
 * over k, in blocks of fixed length whose sums are added in order; or, where k runs over samples,
 * one chain for each chunk, and chunks added along the tree of core/base/share.h.
 *
 * A BLAS promises none of that: it chooses its kernels by the sizes, the number of rows among them,
 * so that a sample's bits would depend on how many samples are at hand.
 */
#ifndef MFM_GEMM_H
#define MFM_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/real.h"
#include "core/base/share.h"

/* Sizes and row lengths are in [0, MFM_GEMM_MAX], row lengths at least 1. */
enum { MFM_GEMM_MAX = 1 << 30 };

/* c[m,n] = [c +] alpha op(a) op(b), op(a) is [m,k], op(b) is [k,n]; ld* are row lengths in memory.
 */
typedef struct mfm_gemm {
    bool transpose_a, transpose_b;
    int64_t m, n, k;
    real alpha;
    const real *a;
    int64_t lda;
    const real *b;
    int64_t ldb;
    bool panels; /* b is what mfm_gemm_panels makes; ldb is not read */
    bool add;
    real *c;
    int64_t ldc;
    bool alone;       /* in the thread that calls: it has a part of something larger */
    const real *bias; /* [n], added to every row of c in the end; NULL: none. Not with share */
    /* y = f(x) for n of c's elements in their place, behind the bias; NULL: none. Not with share */
    void (*finish)(const void *attr, size_t n, const real *x, real *y);
    const void *finish_attr;
    /* Whose samples k runs over, as many rows each (mfm_share_for); NULL: nobody's. Not read with
     * transpose_b and many k. */
    const mfm_share *share;
} mfm_gemm;

void mfm_gemm_run(const mfm_gemm *product);

/* op(b) [k,n] for many products: reals, and the copy, of which transpose_b, n, k, b and ldb are
 * read. */
size_t mfm_gemm_panels_size(int64_t n, int64_t k);
void mfm_gemm_panels(const mfm_gemm *product, real *panels);

#endif
