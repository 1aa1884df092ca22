/*
 * mfm.FullyConnected: y = A op(B) + C over the last axis of A, with B a matrix, perhaps by its
 * columns (transB), and C [n] added to every row. It is MatMul with Transpose before and Add behind
 * it, to the bit, without a copy of B and without a sweep for C.
 */
#include "core/engine/fusion.h"
#include "core/engine/kernels/broadcast.h"
#include "core/engine/ops/matrix/matmul.h"

typedef struct fully_connected_attr {
    int64_t trans_b;
} fully_connected_attr;

static const mfm_attr_def attrs[] = {
    {.name = "transB", .type = MFM_INT, .offset = offsetof(fully_connected_attr, trans_b)}, {0}};

int mfm_fully_connected_infer(mfm_ctx *ctx, mfm_node *node)
{
    char text[MFM_SHAPE_TEXT];
    const int status = mfm_matmul_infer(ctx, node);
    if (status)
        return status;
    const mfm_shape *y = &node->out[0]->shape;
    if (node->in[1]->shape.rank != 2 || node->in[0]->shape.rank < 2)
        return mfm_infer_fail(ctx, node, "B %s: must be a matrix, A one or a stack of them",
                              mfm_shape_text(&node->in[1]->shape, text));
    if (node->n_in < 3 || !node->in[2])
        return MFM_OK;
    const mfm_shape *c = &node->in[2]->shape;
    if (c->rank != 1 || c->dim[0] != y->dim[y->rank - 1])
        return mfm_infer_fail(ctx, node, "C %s: must have an element for each column of the result",
                              mfm_shape_text(c, text));
    return MFM_OK;
}

static void bias(const mfm_node *node, const real *c, real *y, bool add)
{
    mfm_broadcast_copy(&node->out[0]->shape, &node->in[2]->shape, c, 1, y, add);
}

static void adjoint_bias(const mfm_node *node, const real *g, real *gc, bool add)
{
    mfm_broadcast_reduce(&node->share, &node->out[0]->shape, g, NULL, NULL, 1, &node->in[2]->shape,
                         gc, add);
}

static void product_bias(const mfm_node *node, const real *a, const real *b, const real *c, real *y)
{
    mfm_matmul_product_ended(node, a, b, &(mfm_matmul_end){.bias = c}, y);
}

static void forward(const mfm_node *node)
{
    mfm_rule_bilinear.forward(node);
}

/* c' comes last, as it does where Add is a node of its own: the rule would have it earlier. */
static void jvp(const mfm_node *node)
{
    mfm_node product = *node;
    real *y = mfm_out(node, 0, MFM_DX);
    const real *dc = mfm_in(node, 2, MFM_DX);
    const bool moves = mfm_in(node, 0, MFM_DX) || mfm_in(node, 1, MFM_DX);
    product.n_in = 2;
    if (moves)
        mfm_rule_bilinear.jvp(&product);
    if (dc)
        bias(node, dc, y, moves);
}

static void vjp(const mfm_node *node)
{
    mfm_rule_bilinear.vjp(node);
}

static void vjp_t(const mfm_node *node)
{
    mfm_rule_bilinear.vjp_t(node);
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};
static const mfm_bilinear parts = {.product = mfm_matmul_product,
                                   .adjoint_a = mfm_matmul_adjoint_a,
                                   .adjoint_b = mfm_matmul_adjoint_b,
                                   .bias = bias,
                                   .adjoint_bias = adjoint_bias,
                                   .product_bias = product_bias};
const mfm_port mfm_fully_connected_inputs[] = {{"A", MFM_DATA, false, false},
                                               {"B", MFM_PARAM, false, false},
                                               {"C", MFM_PARAM, true, false},
                                               {0}};
const mfm_port mfm_fully_connected_outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[4,5] [5,3] [3]",
                                      "[2,3,4] [4,5] [5]",
                                      "[2,3,4,5] [5,3] [3]",
                                      "[1,1] [1,1] [1]",
                                      "[2,1,2,2,3] [3,2] [2]",
                                      "[2,3,4,4] [4,17] [17]",
                                      "[2,7,300] [300,33] [33]",
                                      "[4,5] [3,5] [3] transB=1",
                                      "[2,3,4] [5,4] [5] transB=1",
                                      "[2,3,4] [5,4] transB=1",
                                      "[2,3,4,5] [3,5] [3] transB=1",
                                      "[2,40,300] [33,300] [33] transB=1",
                                      "[4,5] [5,3]",
                                      NULL};

static const char *const fuses[] = {"n = MatMul A B; Y = Add n C",
                                    "t = Transpose B; *n = MatMul A t; Y = Add n C",
                                    "t = Transpose B; *Y = MatMul A t", NULL};

static bool fused(const mfm_fusion *chain, void *attr)
{
    const mfm_shape *a = mfm_fusion_shape(chain, "A"), *b = mfm_fusion_shape(chain, "B");
    const mfm_shape *c = mfm_fusion_shape(chain, "C");
    if (a->rank < 2 || b->rank != 2)
        return false;
    const bool turned = mfm_fusion_shape(chain, "t") != NULL;
    if (turned) {
        const mfm_ints *perm = mfm_fusion_ints(chain, "t", "perm");
        if (perm->count == 2 && perm->v[0] == 0)
            return false;
    }
    ((fully_connected_attr *)attr)->trans_b = turned;
    return !c || (c->rank == 1 && c->dim[0] == b->dim[turned ? 0 : 1]);
}

const mfm_op mfm_op_fully_connected = {
    .name = "FullyConnected",
    .domain = "mfm",
    .since = 1,
    .inputs = mfm_fully_connected_inputs,
    .outputs = mfm_fully_connected_outputs,
    .attrs = attrs,
    .attr_size = sizeof(fully_connected_attr),
    .shape = mfm_fully_connected_infer,
    .traits = MFM_MATRIX,
    .layout = MFM_LAYOUT_ROWS,
    .macs = mfm_matmul_macs,
    .batch = MFM_BATCH_FIRST,
    .additive = 1u << 2,
    .fuses = fuses,
    .fused = fused,
    .summary = "matrix product over the last two axes, and a number added to each column",
    .samples = samples,
};

const mfm_impl mfm_cpu_fully_connected = {
    .op = &mfm_op_fully_connected,
    .backend = MFM_CPU,
    .setup = mfm_matmul_setup,
    .rule = &rule,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
