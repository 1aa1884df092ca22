#include "core/engine/kernels/conv/winograd/winograd_kernels.h"

#include <string.h>

#include "core/engine/kernels/transpose.h"
#include "core/engine/kernels/vec.h"
#include "core/engine/kernels/conv/winograd/winograd.h"

enum { POINTS = MFM_WINOGRAD_POINTS, TAPS = 9, LANES = MFM_VEC_LANES };

void mfm_winograd_kernels(mfm_kernels k, const real *w, int64_t depth, real *u)
{
    const int64_t c = k.c, o = k.o;
#pragma omp parallel for schedule(static) num_threads(k.parts)
    for (int64_t row = 0; row < o; row += LANES)
        for (int64_t i = 0; i < c; i += LANES) {
            real block[LANES][POINTS][LANES];
            if (row + LANES > o)
                memset(block, 0, sizeof block);
            for (int64_t j = 0; j < LANES && row + j < o; j++)
                k.form->kernel(w + (row + j) * TAPS * c + i, c, block[j][0], LANES);
            for (int64_t point = 0; point < k.form->points; point++)
                mfm_transpose_block(block[0][point], POINTS * LANES,
                                    u + (point * depth + i) * k.width + row, k.width);
        }
}

void mfm_winograd_turned_kernels(mfm_kernels k, const real *w, real *u)
{
    const int64_t c = k.c, o = k.o;
#pragma omp parallel for schedule(static) num_threads(k.parts)
    for (int64_t row = 0; row < o; row++)
        for (int64_t i = 0; i < c; i += LANES)
            mfm_winograd_large.kernel(w + (row * TAPS + TAPS - 1) * c + i, -c, u + row * c + i,
                                      o * c);
}

void mfm_winograd_kernel_sums(mfm_kernels k, const real *s, int64_t step, real *gw, bool add)
{
    const int64_t c = k.c, o = k.o;
#pragma omp parallel for schedule(static) num_threads(k.parts)
    for (int64_t row = 0; row < o; row++)
        for (int64_t i = 0; i < c; i += LANES)
            mfm_winograd_large.kernel_gradient(s + row * c + i, step, gw + row * TAPS * c + i, c,
                                               add);
}
