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
#include "core/engine/kernels/gemm/gemm_tiles.h"

enum {
    LANES = MFM_VEC_LANES,
    WIDTH = MFM_GEMM_PANEL,
    ROWS = MFM_GEMM_ROWS,
    BLOCK = 256,             /* of k */
    WIDE = 256,              /* columns of op(b) that are copied at a time */
    STRIP = 32 * ROWS,       /* rows for which they are used while they are in a cache */
    DENSE_FROM = 24,         /* rows that repay a copy */
    DENSE_OVER = 1 << 16,    /* numbers of op(b), spread over more room than that */
    PARALLEL_FROM = 1 << 20, /* multiplications: some 20 us; a sleeping thread wakes in as much */
    LEAST_ROWS = 4 * ROWS,   /* of a part of a panel */
    PARTS_A_THREAD = 4,
    /* By chunks, where sums that wait are what a longer block saves: of k, in wide vectors, whose
     * panels stream from the second cache in any case; and the rows whose sums have room. */
    CHUNKS_BLOCK = MFM_VEC_REGISTERS == 32 ? 2 * BLOCK : BLOCK,
    CHUNKS_STRIP = 64 * ROWS
};

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
static void run_tiles(const part *at, mfm_gemm_tile t)
{
    const mfm_gemm_job *job = t.job;
    const mfm_gemm *p = &job->p;
    const int vecs = (int)((at->width + LANES - 1) / LANES);
    const bool goes_on = job->chunks > 0 && (t.first > 0 || t.end < p->k);
    mfm_gemm_tile_fn *const *run = mfm_gemm_tile_fns(job->chunks > 0, vecs);
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
        for (int64_t i = 0; i < t.next_rows; i++, t.next += p->ldb)
            for (int v = 0; v < vecs; v++)
                __builtin_prefetch(t.next + v * LANES, 0, 2);
    }
}

static mfm_gemm_tile first_tile(const mfm_gemm_job *job, int64_t block)
{
    const mfm_gemm *p = &job->p;
    return (mfm_gemm_tile){.job = job,
                           .a = p->a,
                           .a_row = p->transpose_a ? 1 : p->lda,
                           .a_k = p->transpose_a ? p->lda : 1,
                           .end = mfm_smaller(block, p->k),
                           .add = p->add};
}

static bool next_block(mfm_gemm_tile *t, int64_t block)
{
    const mfm_gemm_job *job = t->job;
    for (; t->chunk < job->chunks && job->chunk[t->chunk].end <= t->end; t->chunk++)
        t->depth += 1 - job->chunk[t->chunk].joins;
    t->first = t->end;
    t->end = mfm_smaller(t->end + block, job->p.k);
    t->add = t->add || job->chunks == 0;
    return t->first < t->end;
}

/* Rows of op(b) where they lie. The last few, whose vectors reach beyond, are copied to `tail`. */
static mfm_gemm_columns direct(const mfm_gemm *p, const part *at, real *tail)
{
    const int64_t reach = (at->width + LANES - 1) / LANES * LANES - at->width;
    const int64_t beyond = at->column + at->width + reach - p->n; /* of the last row's end */
    const int64_t copied = beyond > 0 ? (beyond + p->ldb - 1) / p->ldb : 0;
    mfm_gemm_columns b = {.at = p->b + at->column,
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
static mfm_gemm_columns dense(const mfm_gemm *p, const part *at, const mfm_gemm_tile *t,
                              real *panel)
{
    mfm_gemm_pack(p, at->column, at->width, t->first, t->end - t->first, panel);
    return (mfm_gemm_columns){.at = panel - t->first * WIDTH, .step = WIDTH, .safe = t->end};
}

/* Those of mfm_gemm_panels: all of k. */
static mfm_gemm_columns packed(const mfm_gemm *p, const part *at)
{
    return (mfm_gemm_columns){.at = p->b + at->column * p->k, .step = WIDTH, .safe = p->k};
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
static void run_in_order(const mfm_gemm_job *job, const part *all)
{
    real panels[WIDE / WIDTH][BLOCK * WIDTH];
    mfm_gemm_columns b[WIDE / WIDTH];
    mfm_gemm_tile t = first_tile(job, BLOCK);
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
    } while (next_block(&t, BLOCK));
}

/* The next block of op(b) is copied soon: its rows are fetched as tiles go by, where these are so
 * few that a copy is felt. */
static void expect_panel(const mfm_gemm_job *job, const part *at, mfm_gemm_tile *t)
{
    const int64_t height = at->end_row - at->first_row, tiles = (height + ROWS - 1) / ROWS;
    const int64_t rows = mfm_smaller(CHUNKS_BLOCK, job->p.k - t->end);
    const bool wanted = height <= STRIP && rows > 0;
    t->next = wanted ? job->p.b + t->end * job->p.ldb + at->column : NULL;
    t->next_rows = wanted ? (rows + tiles - 1) / tiles : 0;
}

static void run_by_chunks(const mfm_gemm_job *job, const part *at)
{
    real panel[CHUNKS_BLOCK * WIDTH];
    mfm_gemm_progress progress[CHUNKS_STRIP / ROWS + 2];
    mfm_gemm_tile t = first_tile(job, CHUNKS_BLOCK);
    t.progress = progress;
    do {
        t.b = dense(&job->p, at, &t, panel);
        expect_panel(job, at, &t);
        run_tiles(at, t);
    } while (next_block(&t, CHUNKS_BLOCK));
}

/* Without a copy of op(b). */
static void run_direct(const mfm_gemm_job *job, const part *at)
{
    real tail[LANES * WIDTH];
    mfm_gemm_progress progress;
    mfm_gemm_tile t = first_tile(job, BLOCK);
    t.b = direct(&job->p, at, tail);
    if (job->chunks > 0) {
        t.progress = &progress;
        t.end = job->p.k;
    }
    do
        run_tiles(at, t);
    while (next_block(&t, BLOCK));
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* The chunks' order in the subtree of `count` chunks from i on; the number of those with rows. */
static int list_chunks(mfm_gemm_job *job, int i, int count)
{
    const mfm_share *share = job->p.share;
    if (count == 1) {
        const int64_t first = mfm_share_row(share, job->p.k, i);
        const int64_t end = mfm_share_row(share, job->p.k, i + 1);
        if (first < end)
            job->chunk[job->chunks++] = (mfm_gemm_chunk){.first = first, .end = end};
        return first < end;
    }
    const int left = list_chunks(job, i, count / 2);
    const int right = list_chunks(job, i + count / 2, count / 2);
    if (left && right)
        job->chunk[job->chunks - 1].joins++;
    return left + right;
}

/* Into how many pieces the rows of every group of columns are cut: enough for all threads, and of
 * what is copied for each no more than share the work evenly, unless they are high enough for a
 * copy not to be felt. */
static int64_t pieces_of(const mfm_gemm_job *job, int64_t groups, bool copies, int64_t threads)
{
    const int64_t m = job->p.m, wanted = PARTS_A_THREAD * threads;
    int64_t pieces = 1;
    if (threads > 1 && groups > 0) {
        int64_t even = 1;
        while (even * groups % threads && even * groups < wanted)
            even++;
        pieces = (wanted + groups - 1) / groups;
        if (groups % threads)
            pieces = (pieces + threads - 1) / threads * threads;
        if (copies)
            pieces = mfm_smaller(pieces, even > m / STRIP ? even : m / STRIP);
        pieces = mfm_smaller(pieces, m / LEAST_ROWS);
    }
    const int64_t least = (m + CHUNKS_STRIP - 1) / CHUNKS_STRIP;
    if (copies && job->chunks > 0 && pieces < least) /* as many rows as sums can wait */
        pieces = least;
    return pieces < 1 ? 1 : pieces;
}

/* The width of so many panels that share n columns: whole vectors. */
static int64_t whole_vectors(int64_t n, int64_t panels)
{
    return ((n + panels - 1) / panels + LANES - 1) / LANES * LANES;
}

void mfm_gemm_run(const mfm_gemm *product)
{
    if (mfm_gemm_has_few(product)) {
        mfm_gemm_run_few(product);
        return;
    }
    mfm_gemm_job job = {.p = *product};
    const mfm_gemm *p = &job.p;
    if (p->share && !(p->transpose_b && p->k > BLOCK))
        list_chunks(&job, 0, p->share->end - p->share->first);
    /* By chunks, what lies apart is read once for each tile, all of k. */
    const int64_t deep = job.chunks > 0 ? p->k : mfm_smaller(p->k, BLOCK);
    const bool copies =
        p->transpose_b || p->panels || (p->m >= DENSE_FROM && deep * p->ldb > DENSE_OVER);
    const int64_t most = copies && job.chunks == 0 ? WIDE : WIDTH;
    const int64_t groups = (p->n + most - 1) / most;
    const int64_t wide = most == WIDTH && groups > 0 ? whole_vectors(p->n, groups) : most;
    const bool parallel =
        !p->alone && p->m * p->n * p->k >= PARALLEL_FROM && (p->m > MFM_GEMM_ROWS || groups > 1);
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
