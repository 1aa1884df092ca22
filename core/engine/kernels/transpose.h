/* Square blocks of MFM_VEC_LANES by MFM_VEC_LANES numbers, transposed in registers. */
#ifndef MFM_TRANSPOSE_H
#define MFM_TRANSPOSE_H

#include "core/engine/kernels/vec.h"

/* Swaps the off-diagonal blocks of `size` lanes in every square of twice that size. */
static inline __attribute__((always_inline)) void mfm_swap_blocks(mfm_vec *rows, int size)
{
    mfm_vec_index low, high;
#pragma GCC unroll 16
    for (int l = 0; l < (int)MFM_VEC_LANES; l++) {
        low[l] = l & size ? (int)MFM_VEC_LANES + l - size : l;
        high[l] = l & size ? (int)MFM_VEC_LANES + l : l + size;
    }
#pragma GCC unroll 16
    for (int r = 0; r < (int)MFM_VEC_LANES; r++) {
        if (r & size)
            continue;
        const mfm_vec a = rows[r], b = rows[r + size];
        rows[r] = mfm_vec_pick(a, b, low);
        rows[r + size] = mfm_vec_pick(a, b, high);
    }
}

/* to [MFM_VEC_LANES][MFM_VEC_LANES] rows `step` apart = from^T, whose rows are `from_step` apart.
 */
static inline void mfm_transpose_block(const real *from, int64_t from_step, real *to, int64_t step)
{
    mfm_vec rows[MFM_VEC_LANES];
#pragma GCC unroll 16
    for (int r = 0; r < (int)MFM_VEC_LANES; r++)
        rows[r] = mfm_vec_load(from + r * from_step);
#pragma GCC unroll 4
    for (int size = 1; size < (int)MFM_VEC_LANES; size *= 2)
        mfm_swap_blocks(rows, size);
#pragma GCC unroll 16
    for (int r = 0; r < (int)MFM_VEC_LANES; r++)
        mfm_vec_store(to + r * step, rows[r]);
}

#endif
