/* Mul, opset 7 and later: y = a * b with numpy's broadcasting. Versions before 7 broadcast by an
 * attribute. */
#include "core/engine/kernels/broadcast.h"
#include "core/engine/ops/pointwise/elementwise.h"
#include "core/engine/rules.h"

static void product(const mfm_node *node, const real *a, const real *b, real *y, bool add)
{
    mfm_broadcast_binary(MFM_BINARY_MUL, &node->out[0]->shape, &node->in[0]->shape, a,
                         &node->in[1]->shape, b, y, add);
}

/* ga = sum of g * b over the axes along which a was stretched; gb likewise, with a. */
static void adjoint_a(const mfm_node *node, const real *g, const real *b, real *ga, bool add)
{
    mfm_broadcast_reduce(&node->share, &node->out[0]->shape, g, &node->in[1]->shape, b, 1,
                         &node->in[0]->shape, ga, add);
}

static void adjoint_b(const mfm_node *node, const real *g, const real *a, real *gb, bool add)
{
    mfm_broadcast_reduce(&node->share, &node->out[0]->shape, g, &node->in[0]->shape, a, 1,
                         &node->in[1]->shape, gb, add);
}

static const mfm_bilinear parts = {
    .product = product, .adjoint_a = adjoint_a, .adjoint_b = adjoint_b};

static const mfm_port inputs[] = {
    {"A", MFM_DATA, false, false}, {"B", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"C", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5] [2,3,4,5]",
                                      "[2,3,4,3] [2,3,1,1]",
                                      "[2,3,2,4] [3,1,1]",
                                      "[2,3,2,2] [2,1,2,2]",
                                      "[3,1,2,2] [1,4,1,1]",
                                      "[4] [3,1]",
                                      "[] [2,3]",
                                      "[] []",
                                      NULL};

const mfm_op mfm_op_mul = {
    .name = "Mul",
    .domain = "",
    .since = 7,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_broadcast,
    .traits = MFM_COMMUTES | MFM_SCALES,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "product of two tensors, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_mul = {
    .op = &mfm_op_mul,
    .backend = MFM_CPU,
    .rule = &mfm_rule_bilinear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
