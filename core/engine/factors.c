#include "core/engine/factors.h"

#include <assert.h>
#include <string.h>

#include "core/engine/kernels/gemm/gemm.h"
#include "core/engine/rules.h"

static mfm_outer sizes_of(const mfm_node *node)
{
    const mfm_bilinear *f = node->impl->parts;
    mfm_outer sizes;
    const bool fits = f->outer && f->outer(node, &sizes);
    assert(fits);
    (void)fits;
    return sizes;
}

/* to [m, n] = [to +] factor (from [m, k] one^T) other,  one [rows, k], other [rows, n] */
static void through(const mfm_factors *b, mfm_outer s, const real *from, const real *one,
                    const real *other, real *to, bool add)
{
    mfm_gemm_run(&(mfm_gemm){.transpose_b = true,
                             .m = s.m,
                             .n = b->rows,
                             .k = s.k,
                             .alpha = 1,
                             .a = from,
                             .lda = s.k,
                             .b = one,
                             .ldb = s.k,
                             .c = b->room,
                             .ldc = b->rows});
    mfm_gemm_run(&(mfm_gemm){.m = s.m,
                             .n = s.n,
                             .k = b->rows,
                             .alpha = b->scale * s.alpha * s.alpha,
                             .a = b->room,
                             .lda = b->rows,
                             .b = other,
                             .ldb = s.n,
                             .add = add,
                             .c = to,
                             .ldc = s.n});
}

void mfm_factors_product(const mfm_node *node, const real *a, const mfm_factors *b, real *y,
                         bool add)
{
    through(b, sizes_of(node), a, b->left, b->right, y, add);
}

void mfm_factors_adjoint(const mfm_node *node, const real *g, const mfm_factors *b, real *ga,
                         bool add)
{
    const mfm_outer s = sizes_of(node);
    const mfm_outer turned = {.m = s.m, .n = s.k, .k = s.n, .alpha = s.alpha};
    through(b, turned, g, b->right, b->left, ga, add);
}

void mfm_factors_take(const mfm_node *node, const real *g, const real *a, const mfm_factors *b)
{
    const mfm_outer s = sizes_of(node);
    assert(b->first + s.m <= b->rows);
    memcpy(b->left + b->first * s.k, a, (size_t)(s.m * s.k) * sizeof *a);
    memcpy(b->right + b->first * s.n, g, (size_t)(s.m * s.n) * sizeof *g);
}
