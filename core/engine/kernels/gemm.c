/*
 * A panel of up to four vectors of columns is taken at a time, for all rows in tiles that stay in
 * registers. Rows of op(b) are read where they lie; where columns of it lie together instead, they
 * are turned into a dense panel, block by block of k.
 */
#include "core/engine/kernels/gemm.h"

#include <omp.h>
#include <string.h>

#include "core/engine/kernels/transpose.h"
#include "core/engine/kernels/vec.h"

enum {
    LANES = MFM_VEC_LANES,
    MANY = MFM_VEC_REGISTERS == 32,
    MAX_VECS = MANY ? 4 : 2,
    MAX_ROWS = 6,
    WIDTH = MAX_VECS * LANES,
    BLOCK = 256,               /* of k */
    PARALLEL_FROM = 1 << 16,   /* multiplications */
    LEAST_ROWS = 4 * MAX_ROWS, /* of a part of a panel */
    PARTS_A_THREAD = 4,
    LEVELS = 5
};

/* Columns of op(b) from some column on: row r at `at` + r * step, from row `safe` on at tail + (r -
 * safe) * WIDTH. Whole vectors of the last rows would reach beyond b. */
typedef struct columns {
    const real *at;
    int64_t step, safe;
    const real *tail;
} columns;

typedef mfm_vec sums[MAX_ROWS][MAX_VECS];

#define INLINE static inline __attribute__((always_inline))

INLINE void clear(int rows, int vecs, sums sum)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = mfm_vec_zero();
}

/* sum += the products of `count` of k; a at its first row, a_row from row to row, a_k along k. */
INLINE void add_products(int rows, int vecs, const real *a, int64_t a_row, int64_t a_k,
                         const real *b, int64_t b_k, int64_t count, sums sum)
{
    const real *from[MAX_ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        from[r] = a + r * a_row;
    for (int64_t k = 0; k < count; k++, b += b_k) {
        mfm_vec of_b[MAX_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            of_b[v] = *(const volatile mfm_vec_at *)(b + v * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            const real x = *from[r];
            from[r] += a_k;
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++)
                sum[r][v] += of_b[v] * x;
        }
    }
}

/* One chain over [first, end) of k. */
INLINE void chain(int rows, int vecs, const real *a, int64_t a_row, int64_t a_k, columns b,
                  int64_t first, int64_t end, sums sum)
{
    const int64_t middle = end < b.safe ? end : b.safe > first ? b.safe : first;
    add_products(rows, vecs, a + first * a_k, a_row, a_k, b.at + first * b.step, b.step,
                 middle - first, sum);
    if (middle < end)
        add_products(rows, vecs, a + middle * a_k, a_row, a_k, b.tail + (middle - b.safe) * WIDTH,
                     WIDTH, end - middle, sum);
}

/* Rows of c, `lanes` columns of the last vector. */
INLINE void store(int rows, int vecs, const mfm_gemm *p, bool add, int lanes, real *c, sums sum)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            real *to = c + r * p->ldc + v * LANES, part[LANES] = {0};
            const bool whole = v < vecs - 1 || lanes == LANES;
            const size_t size = (size_t)lanes * sizeof *to;
            if (add && !whole)
                memcpy(part, to, size);
            /* Rounded before it is added: no tile may make one operation of the two. */
            const volatile mfm_vec product = sum[r][v] * p->alpha;
            mfm_vec result = product;
            if (add)
                result = mfm_vec_load(whole ? to : part) + result;
            mfm_vec_store(whole ? to : part, result);
            if (!whole)
                memcpy(to, part, size);
        }
}

/* A tile: k [first, end) of rows from `row` on; c at its corner. */
typedef struct tile {
    const mfm_gemm *p;
    int64_t row, first, end;
    columns b;
    int lanes;
    bool add;
    real *c;
} tile;

INLINE const real *row_of(const tile *t, int64_t *a_row, int64_t *a_k)
{
    const mfm_gemm *p = t->p;
    *a_row = p->transpose_a ? 1 : p->lda;
    *a_k = p->transpose_a ? p->lda : 1;
    return p->a + t->row * *a_row;
}

INLINE void in_order(int rows, int vecs, const tile *t)
{
    int64_t a_row, a_k;
    const real *a = row_of(t, &a_row, &a_k);
    sums sum;
    clear(rows, vecs, sum);
    chain(rows, vecs, a, a_row, a_k, t->b, t->first, t->end, sum);
    store(rows, vecs, t->p, t->add, t->lanes, t->c, sum);
}

/* Sums of whole parts of the tree wait on a stack, at most one a level; bit l of `full` tells
 * whether there is one of 2^l chunks. */
INLINE void by_chunks(int rows, int vecs, const tile *t)
{
    int64_t a_row, a_k;
    const real *a = row_of(t, &a_row, &a_k);
    const mfm_share *share = t->p->share;
    sums waiting[LEVELS], sum;
    unsigned full = 0;
    clear(rows, vecs, sum);
    for (int i = 0; i < share->end - share->first; i++) {
        const int64_t first = mfm_share_row(share, t->end, i);
        const int64_t end = mfm_share_row(share, t->end, i + 1);
        bool any = first < end;
        int level = 0;
        if (any) {
            clear(rows, vecs, sum);
            chain(rows, vecs, a, a_row, a_k, t->b, first, end, sum);
        }
        for (; i >> level & 1; level++) {
            if (!(full >> level & 1))
                continue;
            full &= ~(1u << level);
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vecs; v++)
                    sum[r][v] = any ? waiting[level][r][v] + sum[r][v] : waiting[level][r][v];
            any = true;
        }
        full |= (unsigned)any << level;
#pragma GCC unroll 6
        for (int r = 0; r < rows && any; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++)
                waiting[level][r][v] = sum[r][v];
    }
    store(rows, vecs, t->p, t->add, t->lanes, t->c, sum);
}

#define TILES(R, V)                                                                                \
    static void in_order_##R##_##V(const tile *t)                                                  \
    {                                                                                              \
        in_order(R, V, t);                                                                         \
    }                                                                                              \
    static void by_chunks_##R##_##V(const tile *t)                                                 \
    {                                                                                              \
        by_chunks(R, V, t);                                                                        \
    }
#define ROWS(V)                                                                                    \
    TILES(1, V)                                                                                    \
    TILES(2, V)                                                                                    \
    TILES(4, V)                                                                                    \
    TILES(6, V)
#define FUNCTIONS(kind, V)                                                                         \
    {                                                                                              \
        NULL, kind##_1_##V, kind##_2_##V, NULL, kind##_4_##V, NULL, kind##_6_##V                   \
    }
typedef void tile_fn(const tile *t);
ROWS(1)
ROWS(2)
#if defined __AVX512F__
ROWS(3)
ROWS(4)
static tile_fn *const functions[2][MAX_VECS + 1][MAX_ROWS + 1] = {{{NULL},
                                                                   FUNCTIONS(in_order, 1),
                                                                   FUNCTIONS(in_order, 2),
                                                                   FUNCTIONS(in_order, 3),
                                                                   FUNCTIONS(in_order, 4)},
                                                                  {{NULL},
                                                                   FUNCTIONS(by_chunks, 1),
                                                                   FUNCTIONS(by_chunks, 2),
                                                                   FUNCTIONS(by_chunks, 3),
                                                                   FUNCTIONS(by_chunks, 4)}};
#else
static tile_fn *const functions[2][MAX_VECS + 1][MAX_ROWS + 1] = {
    {{NULL}, FUNCTIONS(in_order, 1), FUNCTIONS(in_order, 2)},
    {{NULL}, FUNCTIONS(by_chunks, 1), FUNCTIONS(by_chunks, 2)}};
#endif

/* ---- panels --------------------------------------------------------------------------------- */

/* `width` columns from `column` on, and a part of their rows. */
typedef struct part {
    int64_t column, width, first_row, end_row;
} part;

static void run_tiles(const mfm_gemm *p, const part *at, columns b, int64_t first, int64_t end)
{
    const int vecs = (int)((at->width + LANES - 1) / LANES);
    tile_fn *const *run = functions[p->share != NULL][vecs];
    tile t = {.p = p,
              .first = first,
              .end = end,
              .b = b,
              .lanes = (int)(at->width - (vecs - 1) * LANES),
              .add = p->add || first > 0};
    for (int64_t row = at->first_row; row < at->end_row;) {
        const int64_t left = at->end_row - row;
        const int rows = left >= 6 && left != 8 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        t.row = row;
        t.c = p->c + row * p->ldc + at->column;
        run[rows](&t);
        row += rows;
    }
}

/* Rows of op(b) where they lie. The last few, whose vectors reach beyond, are copied. */
static void run_direct(const mfm_gemm *p, const part *at)
{
    const int64_t reach = (at->width + LANES - 1) / LANES * LANES - at->width;
    const int64_t beyond = at->column + at->width + reach - p->n; /* of the last row's end */
    const int64_t copied = beyond > 0 ? (beyond + p->ldb - 1) / p->ldb : 0;
    real tail[LANES * WIDTH] = {0};
    columns b = {.at = p->b + at->column,
                 .step = p->ldb,
                 .safe = p->k > copied ? p->k - copied : 0,
                 .tail = tail};
    for (int64_t k = b.safe; k < p->k; k++)
        memcpy(tail + (k - b.safe) * WIDTH, b.at + k * p->ldb, (size_t)at->width * sizeof *tail);
    if (p->share) {
        run_tiles(p, at, b, 0, p->k);
        return;
    }
    for (int64_t k = 0; k == 0 || k < p->k; k += BLOCK)
        run_tiles(p, at, b, k, p->k - k < BLOCK ? p->k : k + BLOCK);
}

/* panel [count, WIDTH], zeros beyond the width, of rows [k, k + count) of op(b) = b^T */
static void turn(const mfm_gemm *p, const part *at, int64_t k, int64_t count, real *panel)
{
    const real *b = p->b + at->column * p->ldb + k;
    const int64_t whole = count / LANES * LANES, dense = at->width / LANES * LANES;
    for (int64_t j = 0; j < dense; j += LANES)
        for (int64_t i = 0; i < whole; i += LANES)
            mfm_transpose_block(b + j * p->ldb + i, p->ldb, panel + i * WIDTH + j, WIDTH);
    for (int64_t j = 0; j < (at->width + LANES - 1) / LANES * LANES; j++)
        for (int64_t i = j < dense ? whole : 0; i < count; i++)
            panel[i * WIDTH + j] = j < at->width ? b[j * p->ldb + i] : 0;
}

static void run_turned(const mfm_gemm *p, const part *at)
{
    real panel[BLOCK * WIDTH];
    for (int64_t k = 0; k == 0 || k < p->k; k += BLOCK) {
        const int64_t end = p->k - k < BLOCK ? p->k : k + BLOCK;
        turn(p, at, k, end - k, panel);
        const columns b = {.at = panel - k * WIDTH, .step = WIDTH, .safe = end, .tail = NULL};
        run_tiles(p, at, b, k, end);
    }
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void mfm_gemm_run(const mfm_gemm *product)
{
    mfm_gemm own = *product;
    const mfm_gemm *p = &own;
    if (own.transpose_b && own.k > BLOCK) /* not all of k is at hand at a time */
        own.share = NULL;
    const int64_t panels = (p->n + WIDTH - 1) / WIDTH;
    const bool parallel = p->m * p->n * p->k >= PARALLEL_FROM && p->m * panels > MAX_ROWS;
    const int64_t wanted = parallel ? PARTS_A_THREAD * omp_get_max_threads() : 1;
    int64_t pieces = smaller((wanted + panels - 1) / (panels ? panels : 1), p->m / LEAST_ROWS);
    pieces = pieces < 1 ? 1 : pieces;
#pragma omp parallel for schedule(static) if (parallel)
    for (int64_t i = 0; i < panels * pieces; i++) {
        const int64_t column = i / pieces * WIDTH, piece = i % pieces;
        const part at = {.column = column,
                         .width = smaller(WIDTH, p->n - column),
                         .first_row = p->m * piece / pieces,
                         .end_row = p->m * (piece + 1) / pieces};
        if (p->transpose_b)
            run_turned(p, &at);
        else
            run_direct(p, &at);
    }
}
