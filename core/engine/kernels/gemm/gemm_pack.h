/* Columns of a product's op(b), one row close to the next. */
#ifndef MFM_GEMM_PACK_H
#define MFM_GEMM_PACK_H

#include "core/engine/kernels/gemm/gemm.h"
#include "core/engine/kernels/vec.h"

enum { MFM_GEMM_PANEL = (MFM_VEC_REGISTERS == 32 ? 4 : 2) * MFM_VEC_LANES };

/* panel [count, MFM_GEMM_PANEL] = rows [k, k + count) and columns [column, column + width) of
 * op(b); width <= MFM_GEMM_PANEL. Beyond the width, zeros up to the next whole vector. */
void mfm_gemm_pack(const mfm_gemm *product, int64_t column, int64_t width, int64_t k, int64_t count,
                   real *panel);

#endif
