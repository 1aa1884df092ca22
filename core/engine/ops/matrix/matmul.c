/*
 * MatMul (ONNX 1, 9, 13): numpy's matrix product over the last two axes, broadcast over those
 * before. A vector is a row at the left and a column at the right; the result lacks that axis.
 *
 * Operands are views: strides along the batch axes, the rows and the columns. A transpose swaps two
 * strides, so that one loop serves the product and both adjoints:
 *     y = A B        ga = g B^T        gb = A^T g
 * the last two summed over the batch axes along which the operand was stretched. Where rank 4 lies
 * channels-last, neither matrix axis has stride 1: those products go element by element.
 */
#include "core/engine/ops/matrix/matmul.h"

#include <string.h>

#include "core/engine/kernels/broadcast.h"
#include "core/engine/kernels/gemm/gemm.h"

enum { PARALLEL_FROM = 16384 };

typedef struct view {
    int64_t batch[MFM_MAX_RANK];
    int64_t row, column;
} view;

/* y[m, n] = A[m, k] B[k, n] at every index of the batch axes. */
typedef struct geometry {
    mfm_shape batch;
    int64_t m, n, k;
    view a, b, y;
    const mfm_share *share; /* where k runs over samples */
    mfm_matmul_end end;     /* of a single product whose rows lie in y; else nothing */
} geometry;

/* All axes but the last two; none of a vector. */
static mfm_shape batch_axes(const mfm_shape *shape)
{
    mfm_shape batch = *shape;
    batch.rank = shape->rank > 2 ? shape->rank - 2 : 0;
    return batch;
}

/* The view of an operand with `last` stride at its last axis; a vector's other axis has length 1.
 */
static view operand_view(const mfm_shape *shape, const mfm_shape *batch, bool left)
{
    int64_t stride[MFM_MAX_RANK];
    view v = {.row = 1, .column = 1};
    mfm_shape_strides(shape, stride);
    if (shape->rank == 1) {
        *(left ? &v.row : &v.column) = shape->dim[0];
        return v;
    }
    const int own = shape->rank - 2;
    v.row = stride[own];
    v.column = stride[own + 1];
    for (int i = 0; i < own; i++)
        v.batch[batch->rank - own + i] = shape->dim[i] == 1 ? 0 : stride[i];
    return v;
}

static view transposed(view v)
{
    const int64_t row = v.row;
    v.row = v.column;
    v.column = row;
    return v;
}

/* Of an operator that may take a matrix B by its columns. */
static bool is_turned(const mfm_node *node)
{
    return mfm_attr_number(node->op, node->attr, "transB", 0) != 0;
}

/* The shapes have been checked. */
static geometry geometry_of(const mfm_node *node)
{
    const mfm_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    const mfm_shape a_batch = batch_axes(a), b_batch = batch_axes(b);
    geometry g = {.m = a->rank > 1 ? a->dim[a->rank - 2] : 1,
                  .k = a->dim[a->rank - 1],
                  .n = b->rank > 1 ? b->dim[b->rank - 1] : 1};
    mfm_broadcast_shape(&a_batch, &b_batch, &g.batch);
    g.a = operand_view(a, &g.batch, true);
    g.b = operand_view(b, &g.batch, false);
    if (is_turned(node)) {
        g.n = b->dim[0];
        g.b = transposed(g.b);
    }
    return g;
}

static mfm_shape result_shape(const mfm_node *node, const geometry *g)
{
    mfm_shape y = {.rank = g->batch.rank};
    memcpy(y.dim, g->batch.dim, (size_t)y.rank * sizeof y.dim[0]);
    if (node->in[0]->shape.rank > 1)
        y.dim[y.rank++] = g->m;
    if (node->in[1]->shape.rank > 1)
        y.dim[y.rank++] = g->n;
    return y;
}

/* Adds the view of the result. A stack at the left against one matrix becomes one tall matrix. */
static geometry running_geometry(const mfm_node *node)
{
    geometry g = geometry_of(node);
    int64_t stride[MFM_MAX_RANK];
    int axis = g.batch.rank;
    mfm_shape_strides(&node->out[0]->shape, stride);
    memcpy(g.y.batch, stride, (size_t)axis * sizeof stride[0]);
    g.y.row = node->in[0]->shape.rank > 1 ? stride[axis++] : 1;
    g.y.column = node->in[1]->shape.rank > 1 ? stride[axis] : 1;
    const int64_t rows = mfm_shape_count(&g.batch) * g.m;
    const mfm_shape *a = &node->in[0]->shape, *y = &node->out[0]->shape;
    const bool stacked =
        a->rank > 2 && (a->rank != 4 || (a->layout == MFM_ROW_MAJOR && y->layout == MFM_ROW_MAJOR));
    if (stacked && node->in[1]->shape.rank == 2 && rows <= MFM_GEMM_MAX) {
        g.m = rows;
        g.batch.rank = 0;
    }
    return g;
}

/* ---- products of views ------------------------------------------------------------------------
 */

/* A matrix as mfm_gemm takes it: row-major, or the transpose of such. */
static bool fits(const view *v, int64_t rows, int64_t columns, bool *transpose, int64_t *ld)
{
    if (v->column == 1 && (v->row >= columns || rows == 1)) {
        *transpose = false;
        *ld = v->row > columns ? v->row : columns;
    } else if (v->row == 1 && (v->column >= rows || columns == 1)) {
        *transpose = true;
        *ld = v->column > rows ? v->column : rows;
    } else {
        return false;
    }
    return *ld <= MFM_GEMM_MAX;
}

static void by_element(const geometry *g, const real *a, const real *b, real *y, bool add)
{
#pragma omp parallel for if (g->m * g->n * g->k >= PARALLEL_FROM)
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            real *to = y + i * g->y.row + j * g->y.column;
            real sum = 0;
            for (int64_t l = 0; l < g->k; l++)
                sum += a[i * g->a.row + l * g->a.column] * b[l * g->b.row + j * g->b.column];
            *to = add ? *to + sum : sum;
        }
}

static void one_product(const geometry *g, const real *a, const real *b, real *y, bool add)
{
    bool ta, tb, ty;
    int64_t lda, ldb, ldy;
    if (!fits(&g->a, g->m, g->k, &ta, &lda) || !fits(&g->b, g->k, g->n, &tb, &ldb) ||
        !fits(&g->y, g->m, g->n, &ty, &ldy)) {
        by_element(g, a, b, y, add);
        return;
    }
    mfm_gemm p = {.transpose_a = ta,
                  .transpose_b = tb,
                  .m = g->m,
                  .n = g->n,
                  .k = g->k,
                  .alpha = 1,
                  .a = a,
                  .lda = lda,
                  .b = b,
                  .ldb = ldb,
                  .add = add,
                  .c = y,
                  .ldc = ldy,
                  .bias = g->end.bias,
                  .finish = g->end.finish,
                  .finish_attr = g->end.attr,
                  .share = g->share};
    if (ty) /* y^T = B^T A^T */
        p = (mfm_gemm){.transpose_a = !tb,
                       .transpose_b = !ta,
                       .m = g->n,
                       .n = g->m,
                       .k = g->k,
                       .alpha = 1,
                       .a = b,
                       .lda = ldb,
                       .b = a,
                       .ldb = lda,
                       .add = add,
                       .c = y,
                       .ldc = ldy,
                       .share = g->share};
    mfm_gemm_run(&p);
}

/* Results at the same place are added up; `count` is the number of elements of y. */
static void multiply(const geometry *g, const real *a, const real *b, real *y, int64_t count,
                     bool add)
{
    const int64_t products = mfm_shape_count(&g->batch);
    if (!add && products * g->m * g->n > count) {
        memset(y, 0, (size_t)count * sizeof *y);
        add = true;
    }
    const bool apart = products * g->m * g->n <= count; /* each product has results of its own */
#pragma omp parallel for if (apart && products > 1)
    for (int64_t p = 0; p < products; p++) {
        int64_t at_a = 0, at_b = 0, at_y = 0, rest = p;
        for (int axis = g->batch.rank - 1; axis >= 0; axis--) {
            const int64_t i = rest % g->batch.dim[axis];
            rest /= g->batch.dim[axis];
            at_a += i * g->a.batch[axis];
            at_b += i * g->b.batch[axis];
            at_y += i * g->y.batch[axis];
        }
        one_product(g, a + at_a, b + at_b, y + at_y, add);
    }
}

/* ---- the operator -----------------------------------------------------------------------------
 */

static int check_operand(mfm_ctx *ctx, const mfm_node *node, int input)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *shape = &node->in[input]->shape;
    if (shape->rank < 1)
        return mfm_infer_fail(ctx, node, "%s: a scalar: must have an axis",
                              node->op->inputs[input].name);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 1 || shape->dim[i] > MFM_GEMM_MAX)
            return mfm_infer_fail(ctx, node, "%s %s: sizes must be in [1, %d]",
                                  node->op->inputs[input].name, mfm_shape_text(shape, text),
                                  MFM_GEMM_MAX);
    return MFM_OK;
}

int mfm_matmul_infer(mfm_ctx *ctx, mfm_node *node)
{
    int status = check_operand(ctx, node, 0);
    if (!status)
        status = check_operand(ctx, node, 1);
    if (status)
        return status;
    const mfm_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    const mfm_shape a_batch = batch_axes(a), b_batch = batch_axes(b);
    char text_a[MFM_SHAPE_TEXT], text_b[MFM_SHAPE_TEXT];
    mfm_shape common;
    if (is_turned(node) && b->rank != 2)
        return mfm_infer_fail(ctx, node, "B %s: must be a matrix with transB",
                              mfm_shape_text(b, text_b));
    const int64_t rows_of_b = is_turned(node) ? b->dim[1] : b->dim[b->rank > 1 ? b->rank - 2 : 0];
    if (a->dim[a->rank - 1] != rows_of_b)
        return mfm_infer_fail(ctx, node, "%s by %s: columns and rows must be equally many",
                              mfm_shape_text(a, text_a), mfm_shape_text(b, text_b));
    if (!mfm_broadcast_shape(&a_batch, &b_batch, &common))
        return mfm_infer_fail(ctx, node, "%s by %s: the leading axes must broadcast",
                              mfm_shape_text(a, text_a), mfm_shape_text(b, text_b));
    const geometry g = geometry_of(node);
    node->out[0]->shape = result_shape(node, &g);
    return mfm_shape_check(ctx, &node->out[0]->shape, "MatMul result");
}

void mfm_matmul_product(const mfm_node *node, const real *a, const real *b, real *y, bool add)
{
    const geometry g = running_geometry(node);
    multiply(&g, a, b, y, mfm_shape_count(&node->out[0]->shape), add);
}

/* False, and nothing done, where it is not one product over all rows. */
static bool in_one_sweep(const mfm_node *node, const real *a, const real *b,
                         const mfm_matmul_end *end, real *y)
{
    geometry g = running_geometry(node);
    bool transpose;
    int64_t ld;
    if (mfm_shape_count(&g.batch) != 1 || !fits(&g.a, g.m, g.k, &transpose, &ld) ||
        !fits(&g.b, g.k, g.n, &transpose, &ld) || !fits(&g.y, g.m, g.n, &transpose, &ld) ||
        transpose)
        return false;
    g.end = *end;
    multiply(&g, a, b, y, mfm_shape_count(&node->out[0]->shape), false);
    return true;
}

void mfm_matmul_product_ended(const mfm_node *node, const real *a, const real *b,
                              const mfm_matmul_end *end, real *y)
{
    const mfm_shape *shape = &node->out[0]->shape;
    if (in_one_sweep(node, a, b, end, y))
        return;
    mfm_matmul_product(node, a, b, y, false);
    if (end->bias)
        mfm_broadcast_copy(shape, &node->in[2]->shape, end->bias, 1, y, true);
    if (end->finish)
        end->finish(end->attr, (size_t)mfm_shape_count(shape), y, y);
}

void mfm_matmul_adjoint_a(const mfm_node *node, const real *gy, const real *b, real *ga, bool add)
{
    const geometry g = running_geometry(node);
    const geometry back = {
        .batch = g.batch, .m = g.m, .n = g.k, .k = g.n, .a = g.y, .b = transposed(g.b), .y = g.a};
    multiply(&back, gy, b, ga, mfm_shape_count(&node->in[0]->shape), add);
}

/* The adjoint of B as it runs: y = B, k over the rows of the results. */
static geometry adjoint_of_b(const mfm_node *node)
{
    const geometry g = running_geometry(node);
    return (geometry){
        .batch = g.batch, .m = g.k, .n = g.n, .k = g.m, .a = transposed(g.a), .b = g.y, .y = g.b};
}

/* Whether it is summed over the samples, axis 0 of a stack. */
static bool sums_stack(const mfm_node *node, const geometry *back)
{
    return back->batch.rank > 0 && back->y.batch[0] == 0 && node->share.samples &&
           back->batch.dim[0] == mfm_share_count(&node->share);
}

int mfm_matmul_setup(mfm_ctx *ctx, mfm_node *node)
{
    const geometry back = adjoint_of_b(node);
    (void)ctx;
    if (sums_stack(node, &back))
        node->scratch_size = MFM_CHUNKS * (size_t)mfm_shape_count(&node->in[1]->shape);
    return MFM_OK;
}

/* Chunk by chunk, added along the tree. */
static void sum_stack(const mfm_node *node, const geometry *back, const real *gy, const real *a,
                      real *gb, bool add)
{
    const mfm_share *share = &node->share;
    const int64_t count = mfm_shape_count(&node->in[1]->shape), n = back->batch.dim[0];
    for (int chunk = 0; chunk < share->end - share->first; chunk++) {
        const int64_t first = mfm_share_row(share, n, chunk);
        geometry part = *back;
        part.batch.dim[0] = mfm_share_row(share, n, chunk + 1) - first;
        if (part.batch.dim[0])
            multiply(&part, a + first * back->a.batch[0], gy + first * back->b.batch[0],
                     node->scratch + chunk * count, count, false);
    }
    mfm_share_add_reals(share, node->scratch, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        gb[i] = (add ? gb[i] : 0) + node->scratch[i];
}

void mfm_matmul_adjoint_b(const mfm_node *node, const real *gy, const real *a, real *gb, bool add)
{
    geometry back = adjoint_of_b(node);
    const mfm_share share = mfm_share_for(&node->share, back.k);
    if (sums_stack(node, &back)) {
        sum_stack(node, &back, gy, a, gb, add);
        return;
    }
    back.share = back.batch.rank == 0 ? &share : NULL;
    multiply(&back, a, gy, gb, mfm_shape_count(&node->in[1]->shape), add);
}

int64_t mfm_matmul_macs(const mfm_node *node)
{
    const mfm_shape *a = &node->in[0]->shape;
    return mfm_count_times(mfm_shape_count(&node->out[0]->shape), a->dim[a->rank - 1]);
}

static const mfm_bilinear parts = {.product = mfm_matmul_product,
                                   .adjoint_a = mfm_matmul_adjoint_a,
                                   .adjoint_b = mfm_matmul_adjoint_b};
static const mfm_port inputs[] = {
    {"A", MFM_DATA, false, false}, {"B", MFM_PARAM, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[4,5] [5,3]",
                                      "[1,1] [1,1]",
                                      "[5] [5]",
                                      "[5] [5,3]",
                                      "[4,5] [5]",
                                      "[3] [2,3,4]",
                                      "[2,3,4] [4]",
                                      "[2,3,4] [4,5]",
                                      "[2,3,4] [2,4,5]",
                                      "[1,3,4] [2,4,5]",
                                      "[3,4] [2,4,5]",
                                      "[2,3,4,5] [5,3]",
                                      "[2,3,4,5] [2,3,5,2]",
                                      "[2,1,4,3] [3,3,2]",
                                      "[3,1,3,1] [1,2,1,4]",
                                      "[1,2,1,2,3] [2,3,3,2]",
                                      "[2,1,2,2,3] [3,2]",
                                      "[2,1,2,2,3] [3]",
                                      NULL};

const mfm_op mfm_op_matmul = {
    .name = "MatMul",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_matmul_infer,
    .traits = MFM_MATRIX,
    .layout = MFM_LAYOUT_ROWS,
    .macs = mfm_matmul_macs,
    .batch = MFM_BATCH_STACK,
    .summary = "matrix product over the last two axes, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_matmul = {
    .op = &mfm_op_matmul,
    .backend = MFM_CPU,
    .setup = mfm_matmul_setup,
    .rule = &mfm_rule_bilinear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
