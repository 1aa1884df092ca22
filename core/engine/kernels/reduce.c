#include "core/engine/kernels/reduce.h"

#include <string.h>

#include "core/engine/kernels/nest.h"

/* Operands of the nests here. */
enum { G, B, TO };

/* Neighbouring sums that are taken together: two cache lines of float. */
enum { COLUMNS = 32 };
/* Elements of short rows one behind the other that are summed as one row. */
enum { WIDE = 64 };
/* A long sum is cut into up to PARTS sums of at least PART terms, whatever the number of threads.
 */
enum { PARTS = 8, PART = 1024, MOST_PARTS = MFM_CHUNKS };

/* The axes that remain and those that are summed over, each at least one. When the innermost axis
 * of g remains, COLUMNS sums run side by side along it; otherwise one sum runs along it. */
typedef struct reduction {
    mfm_nest kept, summed;
    bool by_columns;
    const real *g, *b;
    real *to;
    real scale;
    bool add;
    int64_t outer, blocks;  /* places of the kept axes around the columns; blocks of columns */
    int64_t terms, parts;   /* of one sum */
    const mfm_share *share; /* parts are its chunks; NULL: of equal length */
} reduction;

/* sum[j] += g[j] * b[j] */
static void add_products(int64_t n, const real *g, int64_t g_step, const real *b, int64_t b_step,
                         double *sum)
{
    if (g_step == 1 && b_step == 1) {
#pragma omp simd
        for (int64_t j = 0; j < n; j++)
            sum[j] += (double)g[j] * (double)b[j];
    } else if (g_step == 1 && b_step == 0) {
        const double factor = b[0];
#pragma omp simd
        for (int64_t j = 0; j < n; j++)
            sum[j] += (double)g[j] * factor;
    } else {
        for (int64_t j = 0; j < n; j++)
            sum[j] += (double)g[j * g_step] * (double)b[j * b_step];
    }
}

static double dot(int64_t n, const real *g, int64_t g_step, const real *b, int64_t b_step)
{
    double sum = 0;
    if (g_step == 1 && b_step == 1) {
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < n; j++)
            sum += (double)g[j] * (double)b[j];
    } else if (g_step == 1 && b_step == 0) {
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < n; j++)
            sum += (double)g[j];
        sum *= (double)b[0];
    } else {
        for (int64_t j = 0; j < n; j++)
            sum += (double)g[j * g_step] * (double)b[j * b_step];
    }
    return sum;
}

/* Short rows of g without gaps, with one factor for all. */
static bool is_flat(const mfm_axis *row, const mfm_axis *column, int64_t columns)
{
    return columns <= WIDE / 2 && row->stride[G] == columns && column->stride[G] == 1 &&
           row->stride[B] == 0 && column->stride[B] == 0;
}

/* sum[j] += b * sum over `rows` of g, short rows taken several at a time. */
static void add_flat(int64_t rows, int64_t columns, const real *g, const real *b, double *sum)
{
    double wide[WIDE] = {0};
    const int64_t width = WIDE - WIDE % columns, count = rows * columns;
    for (int64_t i = 0; i < count; i += width)
        add_products(mfm_smaller(width, count - i), g + i, 1, b, 0, wide);
    for (int64_t i = 0; i < width; i += columns)
        for (int64_t j = 0; j < columns; j++)
            sum[j] += wide[i + j];
}

/* sum[j] += sum over `rows` of g * b, row by row. */
static void add_rows(const mfm_axis *row, const mfm_axis *column, int64_t rows, int64_t columns,
                     const real *g, const real *b, double *sum)
{
    for (int64_t i = 0; i < rows; i++)
        add_products(columns, g + i * row->stride[G], column->stride[G], b + i * row->stride[B],
                     column->stride[B], sum);
}

/* Adds terms first..end-1 of `columns` sums that begin at `base`. */
static void sum_part(const reduction *r, const int64_t base[], int64_t columns, int64_t first,
                     int64_t end, double *sum)
{
    const mfm_axis *column = &r->kept.axis[r->kept.rank - 1];
    const mfm_axis *row = &r->summed.axis[r->summed.rank - 1];
    const bool flat = is_flat(row, column, columns);
    for (int64_t term = first; term < end;) {
        const int64_t run = mfm_smaller(end - term, row->dim - term % row->dim);
        int64_t at[MFM_NEST_OPERANDS] = {base[G], base[B], base[TO]};
        mfm_nest_seek(&r->summed, r->summed.rank, term, at);
        const real *g = r->g + at[G], *b = r->b + at[B];
        if (!r->by_columns)
            *sum += dot(run, g, row->stride[G], b, row->stride[B]);
        else if (flat)
            add_flat(run, columns, g, b, sum);
        else
            add_rows(row, column, run, columns, g, b, sum);
        term += run;
    }
}

static int64_t first_term(const reduction *r, int64_t part)
{
    return r->share ? mfm_share_row(r->share, r->terms, (int)part) : part * r->terms / r->parts;
}

/* Of parts of equal length in double; of chunks, which ranks go on adding, in real. */
static void add_parts(const reduction *r, int64_t columns, double sum[][COLUMNS], real *total)
{
    real chunks[MOST_PARTS][COLUMNS];
    for (int64_t p = 0; p < r->parts && r->share; p++)
        for (int64_t j = 0; j < columns; j++)
            chunks[p][j] = (real)((double)r->scale * sum[p][j]);
    if (r->share) {
        mfm_share_add_reals(r->share, chunks[0], COLUMNS);
        memcpy(total, chunks[0], (size_t)columns * sizeof *total);
        return;
    }
    for (int64_t p = 1; p < r->parts; p++)
        for (int64_t j = 0; j < columns; j++)
            sum[0][j] += sum[p][j];
    for (int64_t j = 0; j < columns; j++)
        total[j] = (real)((double)r->scale * sum[0][j]);
}

/* One block of columns: the parts, then their total in fixed order. */
static void sum_block(const reduction *r, int64_t block, bool split)
{
    const mfm_axis *column = &r->kept.axis[r->kept.rank - 1];
    const int64_t width = r->by_columns ? COLUMNS : 1;
    const int64_t first = block % r->blocks * width;
    const int64_t columns = mfm_smaller(width, column->dim - first);
    int64_t base[MFM_NEST_OPERANDS] = {0};
    mfm_nest_seek(&r->kept, r->kept.rank - 1, block / r->blocks, base);
    for (int k = 0; k < MFM_NEST_OPERANDS; k++)
        base[k] += first * column->stride[k];

    double sum[MOST_PARTS][COLUMNS];
#pragma omp parallel for if (split)
    for (int64_t p = 0; p < r->parts; p++) {
        for (int64_t j = 0; j < columns; j++)
            sum[p][j] = 0;
        sum_part(r, base, columns, first_term(r, p), first_term(r, p + 1), sum[p]);
    }
    real total[COLUMNS];
    add_parts(r, columns, sum, total);
    for (int64_t j = 0; j < columns; j++) {
        real *to = r->to + base[TO] + j * column->stride[TO];
        *to = r->add ? *to + total[j] : total[j];
    }
}

/* Sorts the collapsed axes into kept and summed ones. Lengths of 1 may stand at either side. */
static void split_axes(reduction *r, const mfm_nest *nest)
{
    mfm_nest_push(&r->kept, 1, 0, 0, 0);
    mfm_nest_push(&r->summed, 1, 0, 0, 0);
    for (int i = 0; i < nest->rank; i++) {
        const mfm_axis *axis = &nest->axis[i];
        mfm_nest *side = axis->stride[TO] ? &r->kept : &r->summed;
        mfm_nest_push(side, axis->dim, axis->stride[G], axis->stride[B], axis->stride[TO]);
    }
    r->by_columns = nest->axis[nest->rank - 1].stride[TO] != 0;
}

bool mfm_reduces_samples(const mfm_share *share, const mfm_shape *shape, const int64_t *to_stride)
{
    return share && share->samples && shape->rank && to_stride[0] == 0 &&
           shape->dim[0] == mfm_share_count(share);
}

/* Whether the samples are the outermost of what is summed: then those of a chunk lie together. */
static bool samples_lead(const mfm_shape *shape, const int64_t *g_stride, const int64_t *to_stride)
{
    for (int i = 1; i < shape->rank; i++)
        if (to_stride[i] == 0 && shape->dim[i] > 1 && g_stride[i] > g_stride[0])
            return false;
    return true;
}

void mfm_reduce(const mfm_share *share, const mfm_shape *shape, const real *g,
                const int64_t *g_stride, const real *b, const int64_t *b_stride, real scale,
                real *to, const int64_t *to_stride, bool add)
{
    if (!g && add)
        return;
    const real one = 1, zero = 0;
    mfm_nest nest = {0};
    for (int i = 0; i < shape->rank; i++)
        mfm_nest_push(&nest, shape->dim[i], g ? g_stride[i] : 0, b ? b_stride[i] : 0, to_stride[i]);
    mfm_nest_collapse(&nest, g ? G : TO);

    reduction r = {.g = g ? g : &zero, .b = b ? b : &one, .to = to, .scale = scale, .add = add};
    split_axes(&r, &nest);
    const int64_t kept = mfm_nest_count(&r.kept);
    if (kept == 0)
        return;
    const int64_t columns = r.kept.axis[r.kept.rank - 1].dim;
    r.outer = kept / columns;
    r.blocks = r.by_columns ? (columns + COLUMNS - 1) / COLUMNS : columns;
    r.terms = mfm_nest_count(&r.summed);
    r.parts = r.terms / PART < 1 ? 1 : mfm_smaller(r.terms / PART, PARTS);
    if (g && mfm_reduces_samples(share, shape, to_stride) && mfm_share_has_chunks(share) &&
        samples_lead(shape, g_stride, to_stride)) {
        r.share = share;
        r.parts = share->end - share->first;
    }
    const int64_t blocks = r.outer * r.blocks;
    const bool large = kept * r.terms > MFM_PARALLEL_FROM;
    if (large && blocks >= PARTS) {
#pragma omp parallel for
        for (int64_t block = 0; block < blocks; block++)
            sum_block(&r, block, false);
        return;
    }
    /* No region around these, not even one of a single thread: inside, regions are nested, and
     * nested ones start new threads. */
    for (int64_t block = 0; block < blocks; block++)
        sum_block(&r, block, large && r.parts > 1);
}
