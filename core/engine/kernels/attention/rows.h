/*
 * Softmax over rows of scores, and its derivatives, in place. Blocks are [rows, padded], with n
 * numbers in a row and zeros behind them, up to the next whole vector.
 *     P = softmax S,   J u = P (u - <P, u>),   which is symmetric
 */
#ifndef MFM_ROWS_H
#define MFM_ROWS_H

#include <stdbool.h>

#include "core/engine/kernels/attention/panels.h"

typedef struct mfm_rows {
    int64_t rows, n, padded;
} mfm_rows;

/* s becomes P; top and share [rows]: each row's largest score, 1 / the sum of exp(s - top). */
void mfm_rows_softmax(const mfm_rows *b, real *s, real *top, real *share);
/* The same bits, from top and share. */
void mfm_rows_probabilities(const mfm_rows *b, real *s, const real *top, const real *share);
/* u becomes J u. */
void mfm_rows_jacobian(const mfm_rows *b, const real *p, real *u);
/* g becomes J g, h becomes J h + J' g, with J' that of dp, P's tangent:
 * J' g = dp (g - <P, g>) - P <dp, g>. */
void mfm_rows_jacobian_tangent(const mfm_rows *b, const real *p, const real *dp, real *g, real *h);

/* s = value where the mask is 0, or, unless `kept`, where it is not. */
void mfm_rows_fill(const mfm_rows *b, mfm_strided mask, bool kept, real value, real *s);
/* s += from; and to += s, where the strides may be 0. */
void mfm_rows_add(const mfm_rows *b, real *s, mfm_strided from);
void mfm_rows_add_to(const mfm_rows *b, const real *s, real *to, int64_t row, int64_t column);

#endif
