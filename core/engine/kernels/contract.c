#include "core/engine/kernels/contract.h"

#include "core/engine/kernels/gemm/gemm.h"

/* Matrices with less work for each element of theirs are no worth a matrix product. */
enum { LEAST_SHARED = 4 };

/* Labels that are one loop, of a kind: which of a, b and y have them. */
enum { IN_A = 1, IN_B = 2, IN_Y = 4, KINDS = 8 };
enum {
    BATCH = IN_A | IN_B | IN_Y,
    ROWS = IN_A | IN_Y,
    COLUMNS = IN_B | IN_Y,
    SUMMED = IN_A | IN_B
};

typedef struct group {
    int n;
    int label[MFM_CONTRACT_LABELS];
    int64_t count; /* product of their lengths */
} group;

static int kind_of(const mfm_contraction *c, int label)
{
    return (c->a[label] ? IN_A : 0) | (c->b[label] ? IN_B : 0) | (c->y[label] ? IN_Y : 0);
}

/* The labels of a kind by falling stride of an operand, those of length 1 left out. */
static group group_of(const mfm_contraction *c, int kind, const int64_t *lead)
{
    group g = {.count = 1};
    for (int label = 0; label < c->labels; label++) {
        if (c->dim[label] == 1 || kind_of(c, label) != kind)
            continue;
        int at = g.n++;
        for (; at > 0 && lead[g.label[at - 1]] < lead[label]; at--)
            g.label[at] = g.label[at - 1];
        g.label[at] = label;
        g.count *= c->dim[label];
    }
    return g;
}

/* An operand as stacked matrices [batch, rows, columns]: where it lies, or in a copy. */
typedef struct matrices {
    const group *batch, *rows, *columns;
    const group *own;      /* labels that the operand alone has */
    const int64_t *stride; /* where it lies, by label */
    bool copied, transposed;
    int64_t ld;
    size_t size; /* of the copy */
} matrices;

typedef struct products {
    group batch, rows, columns, summed, only_a, only_b, only_y;
    matrices a, b, y;
} products;

/* One stride for a whole group: 1 where it is empty, 0 where there is none. */
static int64_t merged_stride(const mfm_contraction *c, const group *g, const int64_t *stride)
{
    if (g->n == 0)
        return 1;
    for (int i = 0; i + 1 < g->n; i++) {
        const int outer = g->label[i], inner = g->label[i + 1];
        if (stride[outer] != stride[inner] * c->dim[inner])
            return 0;
    }
    return stride[g->label[g->n - 1]];
}

/* As mfm_gemm takes it: row-major, or the transpose of such; otherwise a row-major copy. */
static void place(const mfm_contraction *c, matrices *m)
{
    const int64_t row = merged_stride(c, m->rows, m->stride);
    const int64_t column = merged_stride(c, m->columns, m->stride);
    const int64_t rows = m->rows->count, columns = m->columns->count;
    m->size = (size_t)(m->batch->count * rows * columns);
    m->ld = mfm_larger(columns, 1);
    m->copied = m->own->count > 1;
    if (m->copied)
        return;
    if ((column == 1 || columns == 1) && (row >= columns || rows == 1)) {
        m->ld = mfm_larger(row, columns);
    } else if ((row == 1 || rows == 1) && (column >= rows || columns == 1)) {
        m->transposed = true;
        m->ld = mfm_larger(column, rows);
    } else {
        m->copied = true;
    }
    m->copied |= m->ld > MFM_GEMM_MAX;
    if (m->copied) {
        m->transposed = false;
        m->ld = mfm_larger(columns, 1);
    }
}

/* The groups stay where they are: the matrices point to them. */
static void split(const mfm_contraction *c, products *p)
{
    p->batch = group_of(c, BATCH, c->y);
    p->rows = group_of(c, ROWS, c->y);
    p->columns = group_of(c, COLUMNS, c->y);
    p->summed = group_of(c, SUMMED, c->a);
    p->only_a = group_of(c, IN_A, c->a);
    p->only_b = group_of(c, IN_B, c->b);
    p->only_y = group_of(c, IN_Y, c->y);
    p->a = (matrices){&p->batch, &p->rows, &p->summed, &p->only_a, c->a, false, false, 0, 0};
    p->b = (matrices){&p->batch, &p->summed, &p->columns, &p->only_b, c->b, false, false, 0, 0};
    p->y = (matrices){&p->batch, &p->rows, &p->columns, &p->only_y, c->y, false, false, 0, 0};
    place(c, &p->a);
    place(c, &p->b);
    place(c, &p->y);
}

static bool is_thin(const products *p)
{
    return p->rows.count < LEAST_SHARED || p->columns.count < LEAST_SHARED ||
           p->rows.count > MFM_GEMM_MAX || p->columns.count > MFM_GEMM_MAX ||
           p->summed.count > MFM_GEMM_MAX || p->a.size > MFM_GEMM_MAX || p->b.size > MFM_GEMM_MAX;
}

/* ---- element by element -----------------------------------------------------------------------
 */

/* Operands of a nest. */
enum { OF_A, OF_B, OF_Y };

static void by_element(const mfm_contraction *c, const real *a, const real *b, real *y, bool add)
{
    mfm_nest results = {0}, sums = {0};
    for (int i = 0; i < c->labels; i++)
        if (c->dim[i] > 1)
            mfm_nest_push(c->y[i] ? &results : &sums, c->dim[i], c->a[i], c->b[i], c->y[i]);
    mfm_nest_collapse(&results, OF_Y);
    mfm_nest_collapse(&sums, OF_A);
    const int64_t count = mfm_nest_count(&results), outer = sums.rank - 1;
    const mfm_axis inner = sums.axis[outer];
    const int64_t lines = mfm_nest_count(&sums) / inner.dim;
#pragma omp parallel for if (count * lines * inner.dim > MFM_PARALLEL_FROM)
    for (int64_t r = 0; r < count; r++) {
        int64_t at[MFM_NEST_OPERANDS] = {0};
        mfm_nest_seek(&results, results.rank, r, at);
        real sum = add ? y[at[OF_Y]] : 0;
        for (int64_t l = 0; l < lines; l++) {
            int64_t from[MFM_NEST_OPERANDS] = {at[OF_A], at[OF_B]};
            mfm_nest_seek(&sums, (int)outer, l, from);
            for (int64_t k = 0; k < inner.dim; k++)
                sum +=
                    a[from[OF_A] + k * inner.stride[OF_A]] * b[from[OF_B] + k * inner.stride[OF_B]];
        }
        y[at[OF_Y]] = sum;
    }
}

/* ---- by matrices ------------------------------------------------------------------------------
 */

/* Operands of the nest over one operand's matrices. */
enum { THERE, COPY };

/* In lines along the innermost loop. */
static mfm_nest nest_of(const mfm_contraction *c, const matrices *m)
{
    const group *groups[] = {m->batch, m->rows, m->columns};
    mfm_nest nest = {0};
    int64_t step = (int64_t)m->size;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < groups[k]->n; i++) {
            const int label = groups[k]->label[i];
            step /= c->dim[label];
            mfm_nest_push(&nest, c->dim[label], m->stride[label], step, 0);
        }
    mfm_nest_collapse(&nest, COPY);
    return nest;
}

static mfm_nest own_nest(const mfm_contraction *c, const matrices *m)
{
    mfm_nest nest = {0};
    for (int i = 0; i < m->own->n; i++)
        mfm_nest_push(&nest, c->dim[m->own->label[i]], m->stride[m->own->label[i]], 0, 0);
    return nest;
}

/* copy = the sum of what lies along the operand's own labels. */
static const real *copy_in(const mfm_contraction *c, const matrices *m, const real *from,
                           real *copy)
{
    const mfm_nest nest = nest_of(c, m), own = own_nest(c, m);
    const mfm_axis line = nest.axis[nest.rank - 1];
    const int64_t lines = (int64_t)m->size / line.dim, terms = m->own->count;
    if (!m->copied)
        return from;
#pragma omp parallel for if (lines * line.dim * terms > MFM_PARALLEL_FROM)
    for (int64_t l = 0; l < lines; l++)
        for (int64_t t = 0; t < terms; t++) {
            int64_t at[MFM_NEST_OPERANDS] = {0};
            mfm_nest_seek(&nest, nest.rank - 1, l, at);
            mfm_nest_seek(&own, own.rank, t, at);
            for (int64_t i = 0; i < line.dim; i++) {
                real *to = copy + at[COPY] + i * line.stride[COPY];
                *to = (t ? *to : 0) + from[at[THERE] + i * line.stride[THERE]];
            }
        }
    return copy;
}

/* Back to where the result lies, the same along the labels that it alone has. */
static void copy_out(const mfm_contraction *c, const matrices *m, const real *copy, real *to,
                     bool add)
{
    const mfm_nest nest = nest_of(c, m), own = own_nest(c, m);
    const mfm_axis line = nest.axis[nest.rank - 1];
    const int64_t lines = (int64_t)m->size / line.dim, times = m->own->count;
#pragma omp parallel for if (lines * line.dim * times > MFM_PARALLEL_FROM)
    for (int64_t l = 0; l < lines; l++)
        for (int64_t t = 0; t < times; t++) {
            int64_t at[MFM_NEST_OPERANDS] = {0};
            mfm_nest_seek(&nest, nest.rank - 1, l, at);
            mfm_nest_seek(&own, own.rank, t, at);
            for (int64_t i = 0; i < line.dim; i++) {
                real *place = to + at[THERE] + i * line.stride[THERE];
                *place = (add ? *place : 0) + copy[at[COPY] + i * line.stride[COPY]];
            }
        }
}

/* Where matrix p of an operand starts. */
static int64_t start_of(const mfm_contraction *c, const matrices *m, int64_t p)
{
    if (m->copied)
        return p * m->rows->count * m->columns->count;
    int64_t offset = 0;
    for (int i = m->batch->n - 1; i >= 0; i--) {
        const int label = m->batch->label[i];
        offset += p % c->dim[label] * m->stride[label];
        p /= c->dim[label];
    }
    return offset;
}

static void by_matrices(const mfm_contraction *c, const products *p, const real *a, const real *b,
                        real *y, bool add)
{
    const int64_t m = p->rows.count, n = p->columns.count, k = p->summed.count;
#pragma omp parallel for if (p->batch.count > 1)
    for (int64_t i = 0; i < p->batch.count; i++) {
        const real *ai = a + start_of(c, &p->a, i), *bi = b + start_of(c, &p->b, i);
        real *yi = y + start_of(c, &p->y, i);
        mfm_gemm product = {.transpose_a = p->a.transposed,
                            .transpose_b = p->b.transposed,
                            .m = m,
                            .n = n,
                            .k = k,
                            .alpha = 1,
                            .a = ai,
                            .lda = p->a.ld,
                            .b = bi,
                            .ldb = p->b.ld,
                            .add = add,
                            .c = yi,
                            .ldc = p->y.ld};
        if (p->y.transposed) /* y^T = b^T a^T */
            product = (mfm_gemm){.transpose_a = !p->b.transposed,
                                 .transpose_b = !p->a.transposed,
                                 .m = n,
                                 .n = m,
                                 .k = k,
                                 .alpha = 1,
                                 .a = bi,
                                 .lda = p->b.ld,
                                 .b = ai,
                                 .ldb = p->a.ld,
                                 .add = add,
                                 .c = yi,
                                 .ldc = p->y.ld};
        mfm_gemm_run(&product);
    }
}

static size_t room(const matrices *m)
{
    return m->copied ? m->size : 0;
}

size_t mfm_contract_scratch(const mfm_contraction *c)
{
    products p;
    split(c, &p);
    return is_thin(&p) ? 0 : room(&p.a) + room(&p.b) + room(&p.y);
}

/* The next of the room where a matrix is copied; NULL where it is not, and there may be no room. */
static real *take_room(const matrices *m, real **scratch)
{
    real *taken = m->copied ? *scratch : NULL;
    if (taken)
        *scratch += m->size;
    return taken;
}

void mfm_contract(const mfm_contraction *c, const real *a, const real *b, real *y, bool add,
                  real *scratch)
{
    products p;
    split(c, &p);
    if (is_thin(&p)) {
        by_element(c, a, b, y, add);
        return;
    }
    const real *from_a = copy_in(c, &p.a, a, take_room(&p.a, &scratch));
    const real *from_b = copy_in(c, &p.b, b, take_room(&p.b, &scratch));
    real *to = p.y.copied ? scratch : y;
    by_matrices(c, &p, from_a, from_b, to, add && !p.y.copied);
    if (p.y.copied)
        copy_out(c, &p.y, to, y, add);
}
