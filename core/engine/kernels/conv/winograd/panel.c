#include "core/engine/kernels/conv/winograd/panel.h"

#include "core/engine/kernels/vec.h"

/* The sums of a panel, the row of b at hand and a broadcast element of a fit into the registers;
 * eight chains of sums hide the latency of one. Four vectors of b take too many of 16 registers.
 * Rows of b are read as volatile, that is once: the compiler likes to read them again for every
 * row of sums, and then loads are what the products wait for. */
enum {
    LANES = MFM_VEC_LANES,
    MANY = MFM_VEC_REGISTERS == 32,
    ROWS_OF_ONE = 8,
    ROWS_OF_TWO = MANY ? 8 : 6,
    ROWS_OF_FOUR = 6, /* of many registers only */
    MAX_ROWS = 8,
    MAX_VECS = 4
};

typedef mfm_vec sums[MAX_ROWS][MAX_VECS];

/* The functions that are inlined with constants for rows and vecs keep their sums in registers. */
static inline __attribute__((always_inline)) void clear(int rows, int vecs, sums sum)
{
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = mfm_vec_zero();
}

static inline __attribute__((always_inline)) void multiply(int rows, int vecs,
                                                           const mfm_panel_product *p, int64_t row,
                                                           int64_t column)
{
    sums sum;
    clear(rows, vecs, sum);
    const real *b = p->b + column;
    for (int64_t block = 0; block < p->depth / LANES; block++) {
        const real *a = p->a + block * p->a_step + row * LANES;
        for (int d = 0; d < LANES; d++, b += p->width) {
            mfm_vec of_b[MAX_VECS];
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++)
                of_b[v] = *(const volatile mfm_vec_at *)(b + v * LANES);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vecs; v++)
                    sum[r][v] += of_b[v] * a[r * LANES + d];
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
        real *c = p->c + (column / LANES + v) * p->c_step + row * LANES;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            mfm_vec_store(c + r * LANES, sum[r][v]);
    }
}

/* The rows of one panel column: as many at a time as the registers hold, the rest in fours, twos
 * and ones. */
static inline __attribute__((always_inline)) void multiply_column(int most, int vecs,
                                                                  const mfm_panel_product *p,
                                                                  int64_t column)
{
    int64_t row = 0;
    for (; row + most <= p->rows; row += most)
        multiply(most, vecs, p, row, column);
    for (; most > 4 && row + 4 <= p->rows; row += 4)
        multiply(4, vecs, p, row, column);
    for (; row + 2 <= p->rows; row += 2)
        multiply(2, vecs, p, row, column);
    for (; row < p->rows; row++)
        multiply(1, vecs, p, row, column);
}

void mfm_panel_multiply(const mfm_panel_product *p)
{
    int64_t column = 0;
    for (; MANY && column + 4 * LANES <= p->width; column += 4 * LANES)
        multiply_column(ROWS_OF_FOUR, 4, p, column);
    for (; column + 2 * LANES <= p->width; column += 2 * LANES)
        multiply_column(ROWS_OF_TWO, 2, p, column);
    for (; column < p->width; column += LANES)
        multiply_column(ROWS_OF_ONE, 1, p, column);
}

/* Rows of c that share a block of a: they divide LANES. */
enum {
    OUTER_OF_FOUR = 4, /* of many registers only */
    OUTER_OF_LESS = LANES < 4            ? 2
                    : LANES < 8 || !MANY ? 4
                                         : 8
};

static inline __attribute__((always_inline)) void outer(int rows, int vecs,
                                                        const mfm_panel_outer *p, int64_t row,
                                                        int64_t column)
{
    sums sum;
    clear(rows, vecs, sum);
    const real *a = p->a + row / LANES * p->a_step + row % LANES;
    const real *b = p->b + column / LANES * p->b_step;
    for (int64_t d = 0; d < p->rows; d++, a += LANES, b += LANES) {
        mfm_vec of_b[MAX_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            of_b[v] = *(const volatile mfm_vec_at *)(b + v * p->b_step);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++)
                sum[r][v] += of_b[v] * a[r];
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        real *c = p->c + (row + r) * p->width + column;
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            real *to = c + v * LANES;
            mfm_vec_store(to, p->add ? mfm_vec_load(to) + sum[r][v] : sum[r][v]);
        }
    }
}

void mfm_panel_add_outer(const mfm_panel_outer *p)
{
    int64_t column = 0;
    for (; MANY && column + 4 * LANES <= p->width; column += 4 * LANES)
        for (int64_t row = 0; row < p->height; row += OUTER_OF_FOUR)
            outer(OUTER_OF_FOUR, 4, p, row, column);
    for (; column + 2 * LANES <= p->width; column += 2 * LANES)
        for (int64_t row = 0; row < p->height; row += OUTER_OF_LESS)
            outer(OUTER_OF_LESS, 2, p, row, column);
    for (; column < p->width; column += LANES)
        for (int64_t row = 0; row < p->height; row += OUTER_OF_LESS)
            outer(OUTER_OF_LESS, 1, p, row, column);
}
