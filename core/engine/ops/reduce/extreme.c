#include "core/engine/ops/reduce/extreme.h"

#include <string.h>

#include "core/engine/kernels/nest.h"

/* Operands of the nests here. */
enum { X, Y };
/* Results found side by side. */
enum { COLUMNS = 64 };

/* The axes that remain, and those that are reduced, in row-major order. */
typedef struct sides {
    mfm_nest kept, reduced;
    int64_t results, terms;
} sides;

static sides sides_of(const mfm_node *node)
{
    const mfm_shape *shape = &node->in[0]->shape;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    bool reduced[MFM_MAX_RANK];
    sides s = {0};
    mfm_reduction_mark(node, reduced);
    s.terms = mfm_reduction_strides(node, x, y);
    mfm_nest_push(&s.reduced, 1, 0, 0, 0);
    for (int i = 0; i < shape->rank; i++)
        mfm_nest_push(reduced[i] ? &s.reduced : &s.kept, shape->dim[i], x[i], y[i], 0);
    mfm_nest_collapse(&s.kept, Y);
    s.results = mfm_nest_count(&s.kept);
    return s;
}

int mfm_extreme_infer(mfm_ctx *ctx, mfm_node *node)
{
    const int status = mfm_reduction_infer(ctx, node);
    if (status)
        return status;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    const int64_t terms = mfm_reduction_strides(node, x, y);
    if (terms > MFM_EXTREME_MOST)
        return mfm_infer_fail(ctx, node, "over %lld numbers: at most %lld", (long long)terms,
                              (long long)MFM_EXTREME_MOST);
    return MFM_OK;
}

int mfm_extreme_setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->saved_size = (size_t)mfm_shape_count(&node->out[0]->shape);
    return MFM_OK;
}

/* Term `number` of `columns` results at distance `step`. */
static void compare(int64_t columns, const real *x, int64_t step, real sign, real number,
                    real *restrict best, real *restrict place)
{
    for (int64_t j = 0; j < columns; j++) {
        const real value = x[j * step];
        const bool better = (sign * value > sign * best[j]) | (value != value);
        best[j] = better ? value : best[j];
        place[j] = better ? number : place[j];
    }
}

/* Results first .. first + columns - 1 of a line that begins at x. */
static void find_block(const sides *s, const real *x, int64_t columns, real sign, real *best,
                       real *place)
{
    const int64_t step = s->kept.axis[s->kept.rank - 1].stride[X];
    const mfm_axis *run = &s->reduced.axis[s->reduced.rank - 1];
    for (int64_t j = 0; j < columns; j++) {
        best[j] = x[j * step];
        place[j] = 0;
    }
    for (int64_t term = 0; term < s->terms; term += run->dim) {
        int64_t at[MFM_NEST_OPERANDS] = {0};
        mfm_nest_seek(&s->reduced, s->reduced.rank, term, at);
        for (int64_t k = 0; k < run->dim; k++)
            compare(columns, x + at[X] + k * run->stride[X], step, sign, (real)(term + k), best,
                    place);
    }
}

void mfm_extreme_find(const mfm_node *node, real sign, real *y, real *place)
{
    const sides s = sides_of(node);
    const mfm_axis *column = &s.kept.axis[s.kept.rank - 1];
    const real *x = mfm_in(node, 0, MFM_X);
    const int64_t blocks = (column->dim + COLUMNS - 1) / COLUMNS;
    const int64_t count = s.results ? s.results / column->dim * blocks : 0;
#pragma omp parallel for if (s.results * s.terms > MFM_PARALLEL_FROM)
    for (int64_t b = 0; b < count; b++) {
        real best[COLUMNS], where[COLUMNS];
        int64_t at[MFM_NEST_OPERANDS] = {0};
        const int64_t first = b % blocks * COLUMNS;
        const int64_t left = column->dim - first, columns = left < COLUMNS ? left : COLUMNS;
        mfm_nest_seek(&s.kept, s.kept.rank - 1, b / blocks, at);
        find_block(&s, x + at[X] + first * column->stride[X], columns, sign, best, where);
        for (int64_t j = 0; j < columns; j++) {
            const int64_t to = at[Y] + (first + j) * column->stride[Y];
            y[to] = best[j];
            if (place)
                place[to] = where[j];
        }
    }
}

/* Where result r lies, and the number that it is. */
static void seek(const mfm_node *node, const sides *s, int64_t r, int64_t at[MFM_NEST_OPERANDS])
{
    for (int k = 0; k < MFM_NEST_OPERANDS; k++)
        at[k] = 0;
    mfm_nest_seek(&s->kept, s->kept.rank, r, at);
    const int64_t result = at[Y];
    mfm_nest_seek(&s->reduced, s->reduced.rank, (int64_t)node->saved[result], at);
}

void mfm_extreme_take(const mfm_node *node, enum mfm_lane lane)
{
    const sides s = sides_of(node);
    const real *x = mfm_in(node, 0, lane);
    real *y = mfm_out(node, 0, lane);
#pragma omp parallel for if (s.results > MFM_PARALLEL_FROM)
    for (int64_t r = 0; r < s.results; r++) {
        int64_t at[MFM_NEST_OPERANDS];
        seek(node, &s, r, at);
        y[at[Y]] = x ? x[at[X]] : 0;
    }
}

void mfm_extreme_give(const mfm_node *node, enum mfm_lane lane)
{
    const sides s = sides_of(node);
    const real *y = mfm_out(node, 0, lane);
    real *x = mfm_in(node, 0, lane);
    if (!x)
        return;
    if (!mfm_accumulates(node, 0, lane))
        memset(x, 0, (size_t)mfm_shape_count(&node->in[0]->shape) * sizeof *x);
    if (!y)
        return;
#pragma omp parallel for if (s.results > MFM_PARALLEL_FROM)
    for (int64_t r = 0; r < s.results; r++) {
        int64_t at[MFM_NEST_OPERANDS];
        seek(node, &s, r, at);
        x[at[X]] += y[at[Y]];
    }
}
