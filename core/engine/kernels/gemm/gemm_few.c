#include "core/engine/kernels/gemm/gemm_few.h"

#include <omp.h>
#include <string.h>

#include "core/engine/kernels/vec.h"

enum {
    LANES = MFM_VEC_LANES,
    VECS = MFM_VEC_REGISTERS == 32 ? 4 : 2,
    WIDTH = 512,   /* columns whose rows of b are copied at a time */
    MOST_ROWS = 2, /* of a chunk */
    MOST = MFM_CHUNKS * MOST_ROWS,
    LEAST_ROWS = 32,         /* of c, for those columns */
    PARALLEL_FROM = 1 << 20, /* multiplications */
    PARTS_A_THREAD = 4
};

/* How many have samples. */
static int64_t chunks_of(const mfm_share *share)
{
    const int64_t samples = mfm_share_count(share), all = share->end - share->first;
    return samples < all ? samples : all;
}

/* Chunks without samples aside, their tree is perfect where as many samples are in each, or one in
 * every 2nd, 4th, ...; parts of the tree that one process has are so, too. */
bool mfm_gemm_has_few(const mfm_gemm *p)
{
    if (!p->share || p->transpose_b || p->m < LEAST_ROWS || p->k == 0 || p->k > MOST ||
        (p->add && p->alpha != 1)) /* whose product with alpha a compiler may round, or not */
        return false;
    const int64_t samples = p->share->samples;
    return mfm_share_count(p->share) > 0 &&
           (samples % MFM_CHUNKS == 0 || MFM_CHUNKS % samples == 0);
}

#define INLINE static inline __attribute__((always_inline))

/* A row of op(a), and rows of b, WIDTH apart; `length` of a chunk. */
typedef struct operands {
    const real *a, *b;
    int64_t length;
} operands;

/* The tree's sum over chunks from `first` on: of 1, a chain; of more, of its halves' sums. */
INLINE void sum_1(const operands *o, int vecs, int64_t first, mfm_vec *sum)
{
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++)
        sum[v] = mfm_vec_zero();
    for (int64_t k = first * o->length; k < (first + 1) * o->length; k++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[v] += mfm_vec_load(o->b + k * WIDTH + v * LANES) * o->a[k];
}

#define DEFINE_SUM(chunks, half)                                                                   \
    INLINE void sum_##chunks(const operands *o, int vecs, int64_t first, mfm_vec *sum)             \
    {                                                                                              \
        mfm_vec right[VECS];                                                                       \
        sum_##half(o, vecs, first, sum);                                                           \
        sum_##half(o, vecs, first + half, right);                                                  \
        _Pragma("GCC unroll 4") for (int v = 0; v < vecs; v++) sum[v] = sum[v] + right[v];         \
    }
DEFINE_SUM(2, 1)
DEFINE_SUM(4, 2)
DEFINE_SUM(8, 4)
DEFINE_SUM(16, 8)

/* `width` <= vecs LANES elements of c. */
INLINE void store(const mfm_gemm *p, int vecs, const mfm_vec *sum, int64_t width, real *c)
{
    real part[VECS * LANES] = {0};
    const bool whole = width == vecs * LANES;
    real *to = whole ? c : part;
    if (!whole && p->add)
        memcpy(part, c, (size_t)width * sizeof *c);
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
        mfm_vec result = sum[v] * p->alpha;
        if (p->add)
            result = mfm_vec_load(to + v * LANES) + result;
        mfm_vec_store(to + v * LANES, result);
    }
    if (!whole)
        memcpy(c, part, (size_t)width * sizeof *c);
}

/* `width` <= WIDTH columns of a row of c. */
INLINE void run_row(const mfm_gemm *p, int chunks, operands o, int64_t width, real *c)
{
    for (int64_t j = 0; j < width; j += VECS * LANES, o.b += VECS * LANES) {
        const int64_t left = width - j < VECS * LANES ? width - j : VECS * LANES;
        mfm_vec sum[VECS];
#pragma GCC unroll 4
        for (int v = 0; v < VECS; v++)
            __builtin_prefetch(c + p->ldc + j + v * LANES, 1);
        if (chunks == 16)
            sum_16(&o, VECS, 0, sum);
        else if (chunks == 8)
            sum_8(&o, VECS, 0, sum);
        else if (chunks == 4)
            sum_4(&o, VECS, 0, sum);
        else if (chunks == 2)
            sum_2(&o, VECS, 0, sum);
        else
            sum_1(&o, VECS, 0, sum);
        store(p, VECS, sum, left, c + j);
    }
}

static void run_columns(const mfm_gemm *p, int64_t column, int64_t first_row, int64_t end_row)
{
    real b[MOST * WIDTH], a[MOST];
    const int64_t width = p->n - column < WIDTH ? p->n - column : WIDTH;
    const int64_t chunks = chunks_of(p->share);
    for (int64_t k = 0; k < p->k; k++) {
        memset(b + k * WIDTH + width, 0, (size_t)(WIDTH - width) * sizeof *b);
        memcpy(b + k * WIDTH, p->b + k * p->ldb + column, (size_t)width * sizeof *b);
    }
    const operands o = {.a = a, .b = b, .length = p->k / chunks};
    const operands single = {.a = a, .b = b, .length = 1};
    for (int64_t row = first_row; row < end_row; row++) {
        real *c = p->c + row * p->ldc + column;
        for (int64_t k = 0; k < p->k; k++)
            a[k] = p->transpose_a ? p->a[k * p->lda + row] : p->a[row * p->lda + k];
        if (p->k == 16 && chunks == 16)
            run_row(p, 16, single, width, c);
        else
            run_row(p, (int)chunks, o, width, c);
    }
}

void mfm_gemm_run_few(const mfm_gemm *p)
{
    const int64_t panels = (p->n + WIDTH - 1) / WIDTH;
    const bool parallel = !p->alone && p->m * p->n * p->k >= PARALLEL_FROM;
    const int64_t wanted = parallel ? PARTS_A_THREAD * omp_get_max_threads() : 1;
    int64_t pieces = (wanted + panels - 1) / (panels ? panels : 1);
    pieces = pieces > p->m / LEAST_ROWS ? p->m / LEAST_ROWS : pieces;
#pragma omp parallel for schedule(static) if (parallel)
    for (int64_t i = 0; i < panels * pieces; i++)
        run_columns(p, i / pieces * WIDTH, p->m * (i % pieces) / pieces,
                    p->m * (i % pieces + 1) / pieces);
}
