/*
 * Sums over the rows of a block: `rows` rows of `width` columns, one behind the other. Each result
 * is a row of sums, one a column, in the order of the rows.
 */
#ifndef MFM_CHANNEL_SUMS_H
#define MFM_CHANNEL_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/real.h"

typedef struct mfm_block {
    int64_t rows, width;
} mfm_block;

/* Which elements of a stream count: all; where y > 0; where constant[c] + factor[c] x > 0. */
enum mfm_gating { MFM_OPEN, MFM_BY_OUTPUT, MFM_BY_TERMS };

typedef struct mfm_gated {
    enum mfm_gating gating;
    const real *u, *y, *x;
    const real *constant, *factor; /* [width] */
} mfm_gated;

/* With d = x - center:  first = sum d,  second = sum d^2 */
void mfm_block_powers(mfm_block b, const real *x, const real *center, real *first, real *second);
/* plain = sum u,  centred = sum u (x - center) */
void mfm_block_sums(mfm_block b, const mfm_gated *s, const real *x, const real *center, real *plain,
                    real *centred);
/* sum = sum u v */
void mfm_block_products(mfm_block b, const mfm_gated *s, const real *v, real *sum);

#endif
