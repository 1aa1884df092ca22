#include "core/engine/kernels/gemm/gemm_tiles.h"

#include <string.h>

#include "core/base/shape.h"

enum {
    LANES = MFM_VEC_LANES,
    WIDTH = MFM_GEMM_PANEL,
    AHEAD = 32 /* rows of a^T that are fetched before they are used */
};

#define INLINE static inline __attribute__((always_inline))

INLINE void clear(int rows, int vecs, mfm_gemm_sums sum)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = mfm_vec_zero();
}

/* sum += the products of `count` of k; a at its first row, a_row from row to row, a_k along k. */
INLINE void add_products(int rows, int vecs, const real *a, int64_t a_row, int64_t a_k,
                         const real *b, int64_t b_k, int64_t count, mfm_gemm_sums sum)
{
    const real *from[MFM_GEMM_ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        from[r] = a + r * a_row;
    for (int64_t k = 0; k < count;) {
        const int64_t end = mfm_smaller(k + LANES, count);
#pragma GCC unroll 6
        for (int r = 0; r < rows && a_k == 1; r++)
            __builtin_prefetch(from[r] + rows * a_row);
        for (; k < end; k++, b += b_k) {
            mfm_vec of_b[MFM_GEMM_VECS];
            __builtin_prefetch(from[rows - 1] + AHEAD * a_k);
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
}

/* One chain over [first, end) of k. */
INLINE void chain(int rows, int vecs, const real *a, int64_t a_row, int64_t a_k, mfm_gemm_columns b,
                  int64_t first, int64_t end, mfm_gemm_sums sum)
{
    const int64_t middle = end < b.safe ? end : b.safe > first ? b.safe : first;
    add_products(rows, vecs, a + first * a_k, a_row, a_k, b.at + first * b.step, b.step,
                 middle - first, sum);
    if (middle < end)
        add_products(rows, vecs, a + middle * a_k, a_row, a_k, b.tail + (middle - b.safe) * WIDTH,
                     WIDTH, end - middle, sum);
}

/* Rows of c, `lanes` columns of the last vector. */
INLINE void store(int rows, int vecs, const mfm_gemm *p, bool add, int lanes, real *c,
                  mfm_gemm_sums sum)
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
            mfm_vec result = sum[r][v];
            if (p->alpha != 1) {
                /* Rounded before it is added: no tile may make one operation of the two. */
                const volatile mfm_vec product = result * p->alpha;
                result = product;
            }
            if (add)
                result = mfm_vec_load(whole ? to : part) + result;
            mfm_vec_store(whole ? to : part, result);
            if (!whole)
                memcpy(to, part, size);
        }
}

INLINE void copy(int rows, int vecs, mfm_gemm_sums to, mfm_gemm_sums from)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            to[r][v] = from[r][v];
}

/* sum = left + sum */
INLINE void join(int rows, int vecs, mfm_gemm_sums left, mfm_gemm_sums sum)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = left[r][v] + sum[r][v];
}

/* The tile's part of c will be written. */
INLINE void expect(int rows, int vecs, const mfm_gemm_tile *t)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            __builtin_prefetch(t->c + r * t->job->p.ldc + v * LANES, 1);
}

INLINE void in_order(int rows, int vecs, const mfm_gemm_tile *t)
{
    mfm_gemm_sums sum;
    expect(rows, vecs, t);
    clear(rows, vecs, sum);
    chain(rows, vecs, t->a, t->a_row, t->a_k, t->b, t->first, t->end, sum);
    store(rows, vecs, &t->job->p, t->add, t->lanes, t->c, sum);
}

/* A chunk that goes on beyond this block of k waits in `progress`; its chain stays one. */
INLINE void by_chunks(int rows, int vecs, const mfm_gemm_tile *t)
{
    const mfm_gemm_chunk *at = t->job->chunk + t->chunk, *last = t->job->chunk + t->job->chunks - 1;
    mfm_gemm_progress *progress = t->progress;
    int depth = t->depth;
    mfm_gemm_sums sum;
    if (at->first < t->first)
        copy(rows, vecs, sum, progress->sum);
    else
        clear(rows, vecs, sum);
    for (;; at++) {
        const int64_t first = at->first > t->first ? at->first : t->first;
        const int64_t end = at->end < t->end ? at->end : t->end;
        chain(rows, vecs, t->a, t->a_row, t->a_k, t->b, first, end, sum);
        if (at->end > t->end) {
            copy(rows, vecs, progress->sum, sum);
            return;
        }
        for (int i = 0; i < at->joins; i++)
            join(rows, vecs, progress->waiting[--depth], sum);
        if (at == last)
            break;
        copy(rows, vecs, progress->waiting[depth++], sum);
        if (at->end == t->end)
            return;
        clear(rows, vecs, sum);
    }
    store(rows, vecs, &t->job->p, t->add, t->lanes, t->c, sum);
}

#define TILES(R, V)                                                                                \
    static void in_order_##R##_##V(const mfm_gemm_tile *t)                                         \
    {                                                                                              \
        in_order(R, V, t);                                                                         \
    }                                                                                              \
    static void by_chunks_##R##_##V(const mfm_gemm_tile *t)                                        \
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
ROWS(1)
ROWS(2)
#if defined __AVX512F__
ROWS(3)
ROWS(4)
static mfm_gemm_tile_fn *const functions[2][MFM_GEMM_VECS + 1][MFM_GEMM_ROWS + 1] = {
    {{NULL},
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
static mfm_gemm_tile_fn *const functions[2][MFM_GEMM_VECS + 1][MFM_GEMM_ROWS + 1] = {
    {{NULL}, FUNCTIONS(in_order, 1), FUNCTIONS(in_order, 2)},
    {{NULL}, FUNCTIONS(by_chunks, 1), FUNCTIONS(by_chunks, 2)}};
#endif

mfm_gemm_tile_fn *const *mfm_gemm_tile_fns(bool by_chunks, int vecs)
{
    return functions[by_chunks][vecs];
}
