/* Products over few samples: their time is that of writing c, row by row. */
#ifndef MFM_GEMM_FEW_H
#define MFM_GEMM_FEW_H

#include "core/engine/kernels/gemm/gemm.h"

/* Whether k runs over a few rows, equally many of each chunk that has any. */
bool mfm_gemm_has_few(const mfm_gemm *product);
/* The product, where that is so: the bits of mfm_gemm_run. */
void mfm_gemm_run_few(const mfm_gemm *product);

#endif
