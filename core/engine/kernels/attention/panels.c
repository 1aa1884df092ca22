#include "core/engine/kernels/attention/panels.h"

#include <string.h>

#include "core/engine/kernels/transpose.h"

enum {
    LANES = MFM_VEC_LANES,
    WIDTH = MFM_PANEL_WIDTH,
    MAX_VECS = WIDTH / LANES,
    MAX_ROWS = 6,
    BLOCK = 256 /* of k: so much of a panel stays in the first caches */
};

#define INLINE static inline __attribute__((always_inline))

size_t mfm_panels_size(int64_t k, int64_t n)
{
    return (size_t)(k * ((n + WIDTH - 1) / WIDTH * WIDTH));
}

/* ---- packing --------------------------------------------------------------------------------- */

/* Numbers [k0, k1) by [j0, j1) of a panel, one by one. */
static void pack_each(mfm_strided from, int64_t k0, int64_t k1, int64_t j0, int64_t j1, real *to)
{
    for (int64_t k = k0; k < k1; k++)
        for (int64_t j = j0; j < j1; j++)
            to[k * WIDTH + j] = from.at[k * from.row + j * from.column];
}

/* Columns that lie together become rows. */
static void pack_turned(mfm_strided from, int64_t k, int64_t width, real *to)
{
    const int64_t whole_k = k / LANES * LANES, whole = width / LANES * LANES;
    for (int64_t i = 0; i < whole_k; i += LANES)
        for (int64_t j = 0; j < whole; j += LANES)
            mfm_transpose_block(from.at + i + j * from.column, from.column, to + i * WIDTH + j,
                                WIDTH);
    pack_each(from, 0, whole_k, whole, width, to);
    pack_each(from, whole_k, k, 0, width, to);
}

static void pack_panel(mfm_strided from, int64_t k, int64_t width, real scale, real *to)
{
    const int64_t padded = mfm_panels_padded(width);
    if (from.row == 1 && from.column != 1)
        pack_turned(from, k, width, to);
    else if (from.column == 1)
        for (int64_t i = 0; i < k; i++)
            memcpy(to + i * WIDTH, from.at + i * from.row, (size_t)width * sizeof *to);
    else
        pack_each(from, 0, k, 0, width, to);
    for (int64_t i = 0; i < k && width < padded; i++)
        memset(to + i * WIDTH + width, 0, (size_t)(padded - width) * sizeof *to);
    if (scale == 1)
        return;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < padded; j++)
            to[i * WIDTH + j] *= scale;
}

void mfm_panels_pack(mfm_strided from, int64_t k, int64_t n, real scale, real *panels)
{
    for (int64_t j = 0; j < n; j += WIDTH) {
        const mfm_strided part = {from.at + j * from.column, from.row, from.column};
        pack_panel(part, k, mfm_smaller(WIDTH, n - j), scale, panels + j * k);
    }
}

/* ---- products -------------------------------------------------------------------------------- */

typedef struct job {
    const real *a;
    int64_t a_row, a_k, k;
    const real *b; /* k rows of a panel */
    bool add;
    real *c;
    int64_t ldc;
} job;

INLINE void tile(int rows, int vecs, const job *o)
{
    mfm_vec sum[MAX_ROWS][MAX_VECS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = o->add ? mfm_vec_load(o->c + r * o->ldc + v * LANES) : mfm_vec_zero();
    const real *from[MAX_ROWS], *b = o->b;
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        from[r] = o->a + r * o->a_row;
    for (int64_t k = 0; k < o->k; k++, b += WIDTH) {
        mfm_vec of_b[MAX_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            of_b[v] = mfm_vec_load(b + v * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            const real x = *from[r];
            from[r] += o->a_k;
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++)
                sum[r][v] += of_b[v] * x;
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            mfm_vec_store(o->c + r * o->ldc + v * LANES, sum[r][v]);
}

#define TILE(R, V)                                                                                 \
    static void tile_##R##_##V(const job *o)                                                       \
    {                                                                                              \
        tile(R, V, o);                                                                             \
    }
#define TILES(V) TILE(1, V) TILE(2, V) TILE(3, V) TILE(4, V) TILE(5, V) TILE(6, V)
#define FUNCTIONS(V)                                                                               \
    {                                                                                              \
        NULL, tile_1_##V, tile_2_##V, tile_3_##V, tile_4_##V, tile_5_##V, tile_6_##V               \
    }
TILES(1)
TILES(2)
#if defined __AVX512F__
TILES(3)
TILES(4)
static void (*const tiles[MAX_VECS + 1][MAX_ROWS + 1])(const job *) = {
    {NULL}, FUNCTIONS(1), FUNCTIONS(2), FUNCTIONS(3), FUNCTIONS(4)};
#else
static void (*const tiles[MAX_VECS + 1][MAX_ROWS + 1])(const job *) = {
    {NULL}, FUNCTIONS(1), FUNCTIONS(2)};
#endif

void mfm_panels_multiply(mfm_strided a, int64_t m, int64_t k, const real *panels, int64_t n,
                         bool add, real *c, int64_t ldc)
{
    for (int64_t first = 0; first < k; first += BLOCK)
        for (int64_t j = 0; j < n; j += WIDTH) {
            const int64_t vecs = mfm_panels_padded(mfm_smaller(WIDTH, n - j)) / LANES;
            job o = {.a_row = a.row,
                     .a_k = a.column,
                     .k = mfm_smaller(BLOCK, k - first),
                     .b = panels + j * k + first * WIDTH,
                     .add = add || first > 0,
                     .ldc = ldc};
            for (int64_t i = 0; i < m; i += MAX_ROWS) {
                o.a = a.at + i * a.row + first * a.column;
                o.c = c + i * ldc + j;
                tiles[vecs][mfm_smaller(MAX_ROWS, m - i)](&o);
            }
        }
}
