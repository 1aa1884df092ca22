#include "core/engine/kernels/gemm/gemm_pack.h"

#include <string.h>

#include "core/engine/kernels/transpose.h"

enum {
    LANES = MFM_VEC_LANES,
    WIDTH = MFM_GEMM_PANEL,
    LINE = 64 / sizeof(real), /* of a cache */
    AHEAD = 16                /* rows that are fetched before they are copied */
};

static void copy_rows(const mfm_gemm *p, int64_t column, int64_t width, int64_t k, int64_t count,
                      real *panel)
{
    const real *b = p->b + k * p->ldb + column;
    const size_t size = (size_t)width * sizeof *b;
    for (int64_t i = 0; i < count; i++, b += p->ldb, panel += WIDTH) {
        for (int64_t j = 0; j < width; j += LINE)
            __builtin_prefetch(b + AHEAD * p->ldb + j);
        if (width == WIDTH) {
            memcpy(panel, b, WIDTH * sizeof *b);
        } else {
            memcpy(panel, b, size);
            memset(panel + width, 0, WIDTH * sizeof *b - size);
        }
    }
}

/* Of b^T: blocks at its edges by way of whole ones. */
static void turn(const mfm_gemm *p, int64_t column, int64_t width, int64_t k, int64_t count,
                 real *panel)
{
    real whole[LANES * LANES] = {0}, turned[LANES * LANES];
    for (int64_t j = 0; j < width; j += LANES)
        for (int64_t i = 0; i < count; i += LANES) {
            const real *b = p->b + (column + j) * p->ldb + k + i;
            const int64_t wide = width - j < LANES ? width - j : LANES;
            const int64_t high = count - i < LANES ? count - i : LANES;
            if (wide == LANES && high == LANES) {
                mfm_transpose_block(b, p->ldb, panel + i * WIDTH + j, WIDTH);
                continue;
            }
            if (high == LANES)
                for (int64_t l = 0; l < wide; l++)
                    mfm_vec_store(whole + l * LANES, mfm_vec_load(b + l * p->ldb));
            else
                for (int64_t l = 0; l < wide; l++)
                    memcpy(whole + l * LANES, b + l * p->ldb, (size_t)high * sizeof *b);
            mfm_transpose_block(whole, LANES, turned, LANES);
            for (int64_t l = 0; l < high; l++)
                mfm_vec_store(panel + (i + l) * WIDTH + j, mfm_vec_load(turned + l * LANES));
        }
}

void mfm_gemm_pack(const mfm_gemm *p, int64_t column, int64_t width, int64_t k, int64_t count,
                   real *panel)
{
    if (p->transpose_b)
        turn(p, column, width, k, count, panel);
    else
        copy_rows(p, column, width, k, count, panel);
}
