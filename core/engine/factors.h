/*
 * A parameter's lane as a sum of outer products. Of a matrix product y [m, n] = alpha a [m, k] b
 * the gradient with respect to b is alpha sum_r a_r g_r^T, r the m rows of the batch: m (k + n)
 * numbers say what k n numbers would. Where b is large and m is not, a step along that gradient and
 * a derivative along it cost two thin products, and b's size is neither written nor read:
 *
 *     a' (b + s sum_r a_r g_r^T) = a' b + s (a' a^T) g
 *
 * Sums over r go through all rows of the batch in their order, whatever ranks or threads they are
 * spread over.
 */
#ifndef MFM_FACTORS_H
#define MFM_FACTORS_H

#include "core/base/linkage.h"
#include "core/engine/op.h"

MFM_C_BEGIN

/* Sizes of such a product, of the rows at hand. */
typedef struct mfm_outer {
    int64_t m, n, k;
    real alpha;
} mfm_outer;

/* base + scale alpha sum_r left_r right_r^T: lanes X and DX. As lane G: where VJP leaves the rows
 * at hand, from row `first` on; base, scale and room are not read. */
typedef struct mfm_factors {
    int64_t rows, first;
    real scale;
    const real *base; /* in the form of the parameter; NULL: zero */
    real *left;       /* [rows, k], of the matrix product's input */
    real *right;      /* [rows, n], of its output's adjoint */
    real *room;       /* [m, rows], for the time of a product */
} mfm_factors;

/* What stands for a lane of an input; NULL: nothing, the lane itself holds. */
static inline const mfm_factors *mfm_factors_of(const mfm_node *node, int input, enum mfm_lane lane)
{
    return input < node->n_in && node->in[input] ? node->in[input]->factors[lane] : NULL;
}

/* Of a node whose rule is mfm_rule_bilinear and that has `outer`; the terms of `left` and `right`
 * alone, added to y and ga or in their place. */
void mfm_factors_product(const mfm_node *node, const real *a, const mfm_factors *b, real *y,
                         bool add);
void mfm_factors_adjoint(const mfm_node *node, const real *g, const mfm_factors *b, real *ga,
                         bool add);
/* Keeps the factors of b's gradient. */
void mfm_factors_take(const mfm_node *node, const real *g, const real *a, const mfm_factors *b);

MFM_C_END

#endif
