/*
 * Gemm (ONNX 1, 6, 7, 9, 11, 13): y = alpha A B + beta C, where A is [m, k], or [k, m] with transA,
 * and B is [k, n], or [n, k] with transB; C broadcasts to [m, n] and may be absent. Before version
 * 7, C must have the full shape unless `broadcast` is set.
 */
#include "core/engine/kernels/broadcast.h"
#include "core/engine/kernels/gemm/gemm.h"
#include "core/engine/ops/matrix/matmul.h"

typedef struct gemm_attr {
    double alpha, beta;
    int64_t trans_a, trans_b, broadcast;
} gemm_attr;

static const mfm_attr_def attrs[] = {
    {.name = "alpha", .type = MFM_FLOAT, .offset = offsetof(gemm_attr, alpha), .fallback = 1},
    {.name = "beta", .type = MFM_FLOAT, .offset = offsetof(gemm_attr, beta), .fallback = 1},
    {.name = "transA", .type = MFM_INT, .offset = offsetof(gemm_attr, trans_a)},
    {.name = "transB", .type = MFM_INT, .offset = offsetof(gemm_attr, trans_b)},
    {.name = "broadcast", .type = MFM_INT, .offset = offsetof(gemm_attr, broadcast)},
    {0}};

typedef struct sizes {
    bool trans_a, trans_b;
    int64_t m, n, k, lda, ldb;
    real alpha;
} sizes;

static sizes sizes_of(const mfm_node *node)
{
    const gemm_attr *attr = node->attr;
    const int64_t *a = node->in[0]->shape.dim, *b = node->in[1]->shape.dim;
    return (sizes){.trans_a = attr->trans_a != 0,
                   .trans_b = attr->trans_b != 0,
                   .m = attr->trans_a ? a[1] : a[0],
                   .k = attr->trans_a ? a[0] : a[1],
                   .n = attr->trans_b ? b[0] : b[1],
                   .lda = a[1],
                   .ldb = b[1],
                   .alpha = (real)attr->alpha};
}

static int check_matrix(mfm_ctx *ctx, const mfm_node *node, int input)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *shape = &node->in[input]->shape;
    bool fits = shape->rank == 2;
    for (int i = 0; i < 2; i++)
        fits = fits && shape->dim[i] >= 1 && shape->dim[i] <= MFM_GEMM_MAX;
    if (!fits)
        return mfm_infer_fail(ctx, node, "%s %s: must be a matrix with sizes in [1, %d]",
                              node->op->inputs[input].name, mfm_shape_text(shape, text),
                              MFM_GEMM_MAX);
    return MFM_OK;
}

static int check_summand(mfm_ctx *ctx, const mfm_node *node, const mfm_shape *y)
{
    char text[MFM_SHAPE_TEXT];
    const gemm_attr *attr = node->attr;
    const mfm_shape *c = &node->in[2]->shape;
    mfm_shape full;
    if (!mfm_broadcast_shape(c, y, &full) || !mfm_shape_equal(&full, y))
        return mfm_infer_fail(ctx, node, "C %s: must broadcast to [%lld,%lld]",
                              mfm_shape_text(c, text), (long long)y->dim[0], (long long)y->dim[1]);
    if (node->opset < 7 && !attr->broadcast && !mfm_shape_equal(c, y))
        return mfm_infer_fail(ctx, node, "C %s: must be [%lld,%lld] without broadcast",
                              mfm_shape_text(c, text), (long long)y->dim[0], (long long)y->dim[1]);
    return MFM_OK;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    int status = check_matrix(ctx, node, 0);
    if (!status)
        status = check_matrix(ctx, node, 1);
    if (status)
        return status;
    const sizes s = sizes_of(node);
    const int64_t rows_of_b = s.trans_b ? node->in[1]->shape.dim[1] : node->in[1]->shape.dim[0];
    if (s.k != rows_of_b)
        return mfm_infer_fail(ctx, node, "A has %lld columns and B %lld rows: must be equal",
                              (long long)s.k, (long long)rows_of_b);
    const mfm_shape y = {.rank = 2, .dim = {s.m, s.n}};
    node->out[0]->shape = y;
    return node->n_in > 2 && node->in[2] ? check_summand(ctx, node, &y) : MFM_OK;
}

static mfm_gemm product_of(const mfm_node *node, const real *a, const real *b, real *y)
{
    const sizes s = sizes_of(node);
    return (mfm_gemm){.transpose_a = s.trans_a,
                      .transpose_b = s.trans_b,
                      .m = s.m,
                      .n = s.n,
                      .k = s.k,
                      .alpha = s.alpha,
                      .a = a,
                      .lda = s.lda,
                      .b = b,
                      .ldb = s.ldb,
                      .c = y,
                      .ldc = s.n};
}

static void product(const mfm_node *node, const real *a, const real *b, real *y, bool add)
{
    mfm_gemm p = product_of(node, a, b, y);
    p.add = add;
    mfm_gemm_run(&p);
}

/* ga = alpha g B^T, transposed when A is */
static void adjoint_a(const mfm_node *node, const real *g, const real *b, real *ga, bool add)
{
    const sizes s = sizes_of(node);
    mfm_gemm p = {.transpose_b = !s.trans_b,
                  .m = s.m,
                  .n = s.k,
                  .k = s.n,
                  .alpha = s.alpha,
                  .a = g,
                  .lda = s.n,
                  .b = b,
                  .ldb = s.ldb,
                  .add = add,
                  .c = ga,
                  .ldc = s.lda};
    if (s.trans_a)
        p = (mfm_gemm){.transpose_a = s.trans_b,
                       .transpose_b = true,
                       .m = s.k,
                       .n = s.m,
                       .k = s.n,
                       .alpha = s.alpha,
                       .a = b,
                       .lda = s.ldb,
                       .b = g,
                       .ldb = s.n,
                       .add = add,
                       .c = ga,
                       .ldc = s.lda};
    mfm_gemm_run(&p);
}

/* gb = alpha A^T g, transposed when B is; summed over the samples, the rows of y. */
static void adjoint_b(const mfm_node *node, const real *g, const real *a, real *gb, bool add)
{
    const sizes s = sizes_of(node);
    const mfm_share share = mfm_share_for(&node->share, s.m);
    mfm_gemm p = {.transpose_a = !s.trans_a,
                  .m = s.k,
                  .n = s.n,
                  .k = s.m,
                  .alpha = s.alpha,
                  .a = a,
                  .lda = s.lda,
                  .b = g,
                  .ldb = s.n,
                  .add = add,
                  .c = gb,
                  .ldc = s.ldb,
                  .share = &share};
    if (s.trans_b)
        p = (mfm_gemm){.transpose_a = true,
                       .transpose_b = s.trans_a,
                       .m = s.n,
                       .n = s.k,
                       .k = s.m,
                       .alpha = s.alpha,
                       .a = g,
                       .lda = s.n,
                       .b = a,
                       .ldb = s.lda,
                       .add = add,
                       .c = gb,
                       .ldc = s.ldb,
                       .share = &share};
    mfm_gemm_run(&p);
}

static bool outer(const mfm_node *node, mfm_outer *o)
{
    const sizes s = sizes_of(node);
    *o = (mfm_outer){.m = s.m, .n = s.n, .k = s.k, .alpha = s.alpha};
    return !s.trans_a;
}

static real beta_of(const mfm_node *node)
{
    return (real)((const gemm_attr *)node->attr)->beta;
}

static void bias(const mfm_node *node, const real *c, real *y, bool add)
{
    mfm_broadcast_copy(&node->out[0]->shape, &node->in[2]->shape, c, beta_of(node), y, add);
}

/* A number for each column is added as results are stored. */
static void product_bias(const mfm_node *node, const real *a, const real *b, const real *c, real *y)
{
    const mfm_shape *shape = &node->in[2]->shape;
    mfm_gemm p = product_of(node, a, b, y);
    const bool of_columns = shape->rank > 0 && shape->dim[shape->rank - 1] == p.n &&
                            mfm_shape_count(shape) == p.n && beta_of(node) == 1;
    p.bias = of_columns ? c : NULL;
    mfm_gemm_run(&p);
    if (!of_columns)
        bias(node, c, y, true);
}

static void adjoint_bias(const mfm_node *node, const real *g, real *gc, bool add)
{
    mfm_broadcast_reduce(&node->share, &node->out[0]->shape, g, NULL, NULL, beta_of(node),
                         &node->in[2]->shape, gc, add);
}

static int64_t macs(const mfm_node *node)
{
    const sizes s = sizes_of(node);
    return mfm_count_times(mfm_count_times(s.m, s.n), s.k);
}

static const mfm_bilinear parts = {.product = product,
                                   .adjoint_a = adjoint_a,
                                   .adjoint_b = adjoint_b,
                                   .bias = bias,
                                   .adjoint_bias = adjoint_bias,
                                   .product_bias = product_bias,
                                   .outer = outer};

static const char *const samples[] = {"[4,5] [5,3] [3]",
                                      "[4,5] [3,5] [3] transB=1",
                                      "[5,4] [5,3] [1,3] transA=1 alpha=0.5",
                                      "[5,4] [3,5] [4,1] transA=1 transB=1 beta=0.25",
                                      "[4,5] [5,3] [4,3] alpha=-2 beta=1.5",
                                      "[4,5] [5,3]",
                                      "[1,5] [5,1] []",
                                      "[3,2] [2,6] [1] beta=3",
                                      "[3,2] [2,6] [1,1] beta=0",
                                      "[7,6] [2,6] [2] transB=1 opset=7",
                                      "[3,4] [4,2] [2] broadcast=1 opset=6",
                                      "[3,4] [4,2] [3,2] opset=1",
                                      NULL};

const mfm_op mfm_op_gemm = {
    .name = "Gemm",
    .domain = "",
    .since = 1,
    .inputs = mfm_fully_connected_inputs,
    .outputs = mfm_fully_connected_outputs,
    .attrs = attrs,
    .attr_size = sizeof(gemm_attr),
    .shape = infer_shape,
    .traits = MFM_MATRIX,
    .macs = macs,
    .batch = MFM_BATCH_FIRST,
    .summary = "alpha A B + beta C of matrices, each of A and B transposed or not",
    .samples = samples,
};

const mfm_impl mfm_cpu_gemm = {
    .op = &mfm_op_gemm,
    .backend = MFM_CPU,
    .rule = &mfm_rule_bilinear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
