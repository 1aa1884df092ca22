/*
 * A panel of up to four vectors of columns is taken at a time, row by row of c in tiles that stay
 * in registers. Block by block of k, rows of op(b) are copied into dense panels, or turned into
 * such where its columns lie together; few rows of c, or a small b, read them where they lie.
 */
#include "core/engine/kernels/gemm/gemm.h"

#include <omp.h>
#include <string.h>

#include "core/base/shape.h"
#include "core/engine/kernels/gemm/gemm_few.h"
#include "core/engine/kernels/gemm/gemm_pack.h"
#include "core/engine/kernels/vec.h"

enum {
    LANES = MFM_VEC_LANES,
    MAX_VECS = MFM_GEMM_PANEL / LANES,
    MAX_ROWS = 6,
    WIDTH = MFM_GEMM_PANEL,
    BLOCK = 256,               /* of k */
    WIDE = 256,                /* columns of op(b) that are copied at a time */
    STRIP = 32 * MAX_ROWS,     /* rows for which they are used while they are in a cache */
    DENSE_FROM = 24,           /* rows that repay a copy */
    DENSE_OVER = 1 << 16,      /* numbers of op(b), spread over more room than that */
    PARALLEL_FROM = 1 << 20,   /* multiplications: some 20 us; a sleeping thread wakes in as much */
    LEAST_ROWS = 4 * MAX_ROWS, /* of a part of a panel */
    PARTS_A_THREAD = 4,
    AHEAD = 32, /* rows of a^T that are fetched before they are used */
    LEVELS = 4
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
    for (int64_t k = 0; k < count;) {
        const int64_t end = mfm_smaller(k + LANES, count);
#pragma GCC unroll 6
        for (int r = 0; r < rows && a_k == 1; r++)
            __builtin_prefetch(from[r] + rows * a_row);
        for (; k < end; k++, b += b_k) {
            mfm_vec of_b[MAX_VECS];
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

INLINE void copy(int rows, int vecs, sums to, sums from)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            to[r][v] = from[r][v];
}

/* sum = left + sum */
INLINE void join(int rows, int vecs, sums left, sums sum)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = left[r][v] + sum[r][v];
}

/* The chunks of k that have rows, in order; then the sums that wait join, from the right on,
 * `joins` of them: so the tree is added up. */
typedef struct chunk {
    int64_t first, end;
    int joins;
} chunk;

typedef struct gemm_job {
    mfm_gemm p;
    int chunks; /* 0: k is one chain, block by block */
    chunk chunk[MFM_CHUNKS];
} gemm_job;

/* A tile's sums, where k goes on in another block: of the chunk at hand, and of parts of the tree.
 */
typedef struct tile_progress {
    sums sum, waiting[LEVELS];
} tile_progress;

/* A tile: k [first, end) of some rows; a at the first of them and k = 0, a_row from row to row, a_k
 * along k; c at its corner. */
typedef struct tile {
    const gemm_job *job;
    const real *a;
    int64_t a_row, a_k, first, end;
    columns b;
    int lanes;
    bool add;
    int chunk, depth; /* by chunks: the first at hand, how many sums wait */
    tile_progress *progress;
    real *c;
} tile;

/* The tile's part of c will be written. */
INLINE void expect(int rows, int vecs, const tile *t)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            __builtin_prefetch(t->c + r * t->job->p.ldc + v * LANES, 1);
}

INLINE void in_order(int rows, int vecs, const tile *t)
{
    sums sum;
    expect(rows, vecs, t);
    clear(rows, vecs, sum);
    chain(rows, vecs, t->a, t->a_row, t->a_k, t->b, t->first, t->end, sum);
    store(rows, vecs, &t->job->p, t->add, t->lanes, t->c, sum);
}

/* A chunk that goes on beyond this block of k waits in `progress`; its chain stays one. */
INLINE void by_chunks(int rows, int vecs, const tile *t)
{
    const chunk *at = t->job->chunk + t->chunk, *last = t->job->chunk + t->job->chunks - 1;
    tile_progress *progress = t->progress;
    int depth = t->depth;
    sums sum;
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

/* Some columns and rows of c. */
typedef struct part {
    int64_t column, width, first_row, end_row;
} part;

/* The rows have just been written. */
static void add_bias(int rows, int64_t width, const real *bias, real *c, int64_t ldc)
{
    for (int r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t j = 0; j < width; j++)
            c[r * ldc + j] += bias[j];
}

/* `t` is a tile as yet without rows; its a is at row 0. */
static void run_tiles(const part *at, tile t)
{
    const gemm_job *job = t.job;
    const mfm_gemm *p = &job->p;
    const int vecs = (int)((at->width + LANES - 1) / LANES);
    const bool goes_on = job->chunks > 0 && (t.first > 0 || t.end < p->k);
    tile_fn *const *run = functions[job->chunks > 0][vecs];
    t.lanes = (int)(at->width - (vecs - 1) * LANES);
    t.a += at->first_row * t.a_row;
    for (int64_t row = at->first_row; row < at->end_row;) {
        const int64_t left = at->end_row - row;
        const int rows = left >= 6 && left != 8 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        t.c = p->c + row * p->ldc + at->column;
        run[rows](&t);
        if (p->bias && t.end == p->k)
            add_bias(rows, at->width, p->bias + at->column, t.c, p->ldc);
        for (int r = 0; r < rows && p->finish && t.end == p->k; r++)
            p->finish(p->finish_attr, (size_t)at->width, t.c + r * p->ldc, t.c + r * p->ldc);
        row += rows;
        t.a += rows * t.a_row;
        if (goes_on)
            t.progress++;
    }
}

static tile first_tile(const gemm_job *job)
{
    const mfm_gemm *p = &job->p;
    return (tile){.job = job,
                  .a = p->a,
                  .a_row = p->transpose_a ? 1 : p->lda,
                  .a_k = p->transpose_a ? p->lda : 1,
                  .end = mfm_smaller(BLOCK, p->k),
                  .add = p->add};
}

static bool next_block(tile *t)
{
    const gemm_job *job = t->job;
    for (; t->chunk < job->chunks && job->chunk[t->chunk].end <= t->end; t->chunk++)
        t->depth += 1 - job->chunk[t->chunk].joins;
    t->first = t->end;
    t->end = mfm_smaller(t->end + BLOCK, job->p.k);
    t->add = t->add || job->chunks == 0;
    return t->first < t->end;
}

/* Rows of op(b) where they lie. The last few, whose vectors reach beyond, are copied to `tail`. */
static columns direct(const mfm_gemm *p, const part *at, real *tail)
{
    const int64_t reach = (at->width + LANES - 1) / LANES * LANES - at->width;
    const int64_t beyond = at->column + at->width + reach - p->n; /* of the last row's end */
    const int64_t copied = beyond > 0 ? (beyond + p->ldb - 1) / p->ldb : 0;
    columns b = {.at = p->b + at->column,
                 .step = p->ldb,
                 .safe = p->k > copied ? p->k - copied : 0,
                 .tail = tail};
    for (int64_t k = b.safe; k < p->k; k++) {
        memset(tail + (k - b.safe) * WIDTH, 0, WIDTH * sizeof *tail);
        memcpy(tail + (k - b.safe) * WIDTH, b.at + k * p->ldb, (size_t)at->width * sizeof *tail);
    }
    return b;
}

/* A dense panel of the block of k. */
static columns dense(const mfm_gemm *p, const part *at, const tile *t, real *panel)
{
    mfm_gemm_pack(p, at->column, at->width, t->first, t->end - t->first, panel);
    return (columns){.at = panel - t->first * WIDTH, .step = WIDTH, .safe = t->end};
}

/* Those of mfm_gemm_panels: all of k. */
static columns packed(const mfm_gemm *p, const part *at)
{
    return (columns){.at = p->b + at->column * p->k, .step = WIDTH, .safe = p->k};
}

size_t mfm_gemm_panels_size(int64_t n, int64_t k)
{
    return (size_t)((n + WIDTH - 1) / WIDTH * WIDTH * k);
}

void mfm_gemm_panels(const mfm_gemm *p, real *panels)
{
    for (int64_t column = 0; column < p->n; column += WIDTH)
        mfm_gemm_pack(p, column, mfm_smaller(WIDTH, p->n - column), 0, p->k,
                      panels + column * p->k);
}

/* A part of c, at most WIDE columns of it, STRIP rows at a time for all columns of a block of k. */
static void run_in_order(const gemm_job *job, const part *all)
{
    real panels[WIDE / WIDTH][BLOCK * WIDTH];
    columns b[WIDE / WIDTH];
    tile t = first_tile(job);
    do {
        for (int64_t row = all->first_row; row < all->end_row; row += STRIP) {
            for (int64_t column = 0; column < all->width; column += WIDTH) {
                const part at = {.column = all->column + column,
                                 .width = mfm_smaller(WIDTH, all->width - column),
                                 .first_row = row,
                                 .end_row = mfm_smaller(row + STRIP, all->end_row)};
                const int64_t i = column / WIDTH;
                if (row == all->first_row)
                    b[i] =
                        job->p.panels ? packed(&job->p, &at) : dense(&job->p, &at, &t, panels[i]);
                t.b = b[i];
                run_tiles(&at, t);
            }
        }
    } while (next_block(&t));
}

static void run_by_chunks(const gemm_job *job, const part *at)
{
    real panel[BLOCK * WIDTH];
    tile_progress progress[STRIP / MAX_ROWS + 2];
    tile t = first_tile(job);
    t.progress = progress;
    do {
        t.b = dense(&job->p, at, &t, panel);
        run_tiles(at, t);
    } while (next_block(&t));
}

/* Without a copy of op(b). */
static void run_direct(const gemm_job *job, const part *at)
{
    real tail[LANES * WIDTH];
    tile_progress progress;
    tile t = first_tile(job);
    t.b = direct(&job->p, at, tail);
    if (job->chunks > 0) {
        t.progress = &progress;
        t.end = job->p.k;
    }
    do
        run_tiles(at, t);
    while (next_block(&t));
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* The chunks' order in the subtree of `count` chunks from i on; the number of those with rows. */
static int list_chunks(gemm_job *job, int i, int count)
{
    const mfm_share *share = job->p.share;
    if (count == 1) {
        const int64_t first = mfm_share_row(share, job->p.k, i);
        const int64_t end = mfm_share_row(share, job->p.k, i + 1);
        if (first < end)
            job->chunk[job->chunks++] = (chunk){.first = first, .end = end};
        return first < end;
    }
    const int left = list_chunks(job, i, count / 2);
    const int right = list_chunks(job, i + count / 2, count / 2);
    if (left && right)
        job->chunk[job->chunks - 1].joins++;
    return left + right;
}

/* Into how many pieces the rows of every group of columns are cut: enough for all threads, none so
 * low that a copy of op(b) would not pay. */
static int64_t pieces_of(const gemm_job *job, int64_t groups, bool copies, int64_t threads)
{
    const int64_t m = job->p.m, strips = (m + STRIP - 1) / STRIP;
    int64_t pieces = 1;
    if (threads > 1 && groups > 0) {
        const int64_t lowest = copies && groups * strips >= threads ? STRIP : LEAST_ROWS;
        pieces = (PARTS_A_THREAD * threads + groups - 1) / groups;
        if (groups % threads)
            pieces = (pieces + threads - 1) / threads * threads;
        pieces = mfm_smaller(pieces, m / lowest);
    }
    if (copies && job->chunks > 0 && pieces < strips) /* as many rows as sums can wait */
        pieces = strips;
    return pieces < 1 ? 1 : pieces;
}

void mfm_gemm_run(const mfm_gemm *product)
{
    if (mfm_gemm_has_few(product)) {
        mfm_gemm_run_few(product);
        return;
    }
    gemm_job job = {.p = *product};
    const mfm_gemm *p = &job.p;
    if (p->share && !(p->transpose_b && p->k > BLOCK))
        list_chunks(&job, 0, p->share->end - p->share->first);
    /* By chunks, what lies apart is read once for each tile, all of k. */
    const int64_t deep = job.chunks > 0 && p->m >= STRIP ? p->k : mfm_smaller(p->k, BLOCK);
    const bool copies =
        p->transpose_b || p->panels || (p->m >= DENSE_FROM && deep * p->ldb > DENSE_OVER);
    const int64_t wide = copies && job.chunks == 0 ? WIDE : WIDTH;
    const int64_t groups = (p->n + wide - 1) / wide;
    const bool parallel =
        !p->alone && p->m * p->n * p->k >= PARALLEL_FROM && (p->m > MAX_ROWS || groups > 1);
    const int64_t pieces = pieces_of(&job, groups, copies, parallel ? omp_get_max_threads() : 1);
#pragma omp parallel for schedule(dynamic) if (parallel)
    for (int64_t i = 0; i < groups * pieces; i++) {
        const int64_t column = i / pieces * wide, piece = i % pieces;
        const part at = {.column = column,
                         .width = mfm_smaller(wide, p->n - column),
                         .first_row = p->m * piece / pieces,
                         .end_row = p->m * (piece + 1) / pieces};
        if (!copies)
            run_direct(&job, &at);
        else if (job.chunks > 0)
            run_by_chunks(&job, &at);
        else
            run_in_order(&job, &at);
    }
}
