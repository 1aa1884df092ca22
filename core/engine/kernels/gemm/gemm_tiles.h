/*
 * A tile of a product: up to six rows by four vectors of c, whose sums stay in registers while k
 * goes by, in one chain of multiplications and additions, or in one for each chunk of samples.
 */
#ifndef MFM_GEMM_TILES_H
#define MFM_GEMM_TILES_H

#include "core/engine/kernels/gemm/gemm.h"
#include "core/engine/kernels/gemm/gemm_pack.h"

enum {
    MFM_GEMM_VECS = MFM_GEMM_PANEL / MFM_VEC_LANES,
    MFM_GEMM_ROWS = 6,
    MFM_GEMM_LEVELS = 4 /* of the tree of chunks */
};

/* Columns of op(b) from some column on: row r at `at` + r * step, from row `safe` on at tail + (r -
 * safe) * WIDTH. Whole vectors of the last rows would reach beyond b. */
typedef struct mfm_gemm_columns {
    const real *at;
    int64_t step, safe;
    const real *tail;
} mfm_gemm_columns;

typedef mfm_vec mfm_gemm_sums[MFM_GEMM_ROWS][MFM_GEMM_VECS];

/* The chunks of k that have rows, in order; then the sums that wait join, from the right on,
 * `joins` of them: so the tree is added up. */
typedef struct mfm_gemm_chunk {
    int64_t first, end;
    int joins;
} mfm_gemm_chunk;

typedef struct mfm_gemm_job {
    mfm_gemm p;
    int chunks; /* 0: k is one chain, block by block */
    mfm_gemm_chunk chunk[MFM_CHUNKS];
} mfm_gemm_job;

/* A tile's sums, where k goes on in another block: of the chunk at hand, and of parts of the tree.
 */
typedef struct mfm_gemm_progress {
    mfm_gemm_sums sum, waiting[MFM_GEMM_LEVELS];
} mfm_gemm_progress;

/* A tile: k [first, end) of some rows; a at the first of them and k = 0, a_row from row to row, a_k
 * along k; c at its corner. */
typedef struct mfm_gemm_tile {
    const mfm_gemm_job *job;
    const real *a;
    int64_t a_row, a_k, first, end;
    mfm_gemm_columns b;
    int lanes;
    bool add;
    int chunk, depth; /* by chunks: the first at hand, how many sums wait */
    mfm_gemm_progress *progress;
    real *c;
    const real *next; /* rows of op(b), next_rows of which are fetched behind each tile */
    int64_t next_rows;
} mfm_gemm_tile;

typedef void mfm_gemm_tile_fn(const mfm_gemm_tile *t);

/* For 1, 2, 4 or 6 rows and 1 to MFM_GEMM_VECS vectors, NULL for other rows: [rows]. */
mfm_gemm_tile_fn *const *mfm_gemm_tile_fns(bool by_chunks, int vecs);

#endif
