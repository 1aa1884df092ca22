/* Add, opset 7 and later: y = a + b with numpy's broadcasting. Versions before 7 broadcast by an
 * attribute. */
#include "core/engine/kernels/broadcast.h"
#include "core/engine/ops/pointwise/elementwise.h"
#include "core/engine/rules.h"

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_broadcast_binary(MFM_BINARY_ADD, &node->out[0]->shape, &node->in[0]->shape,
                         mfm_in(node, 0, lane), &node->in[1]->shape, mfm_in(node, 1, lane),
                         mfm_out(node, 0, lane), false);
}

/* ga = sum of g over the axes along which a was stretched; gb likewise. */
static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    for (int i = 0; i < 2; i++) {
        real *to = mfm_in(node, i, lane);
        if (to && to != mfm_out(node, 0, lane))
            mfm_broadcast_reduce(&node->share, &node->out[0]->shape, mfm_out(node, 0, lane), NULL,
                                 NULL, 1, &node->in[i]->shape, to, mfm_accumulates(node, i, lane));
    }
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {
    {"A", MFM_DATA, false, false}, {"B", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"C", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5] [2,3,4,5]",
                                      "[2,3,4,3] [2,3,1,1]",
                                      "[2,3,2,4] [3,1,1]",
                                      "[3,1,2,2] [1,4,1,1]",
                                      "[4] [3,1]",
                                      "[] [2,3]",
                                      "[2,1,3] [1]",
                                      "[] []",
                                      NULL};

const mfm_op mfm_op_add = {
    .name = "Add",
    .domain = "",
    .since = 7,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_broadcast,
    .linear = true,
    .traits = MFM_COMMUTES | MFM_ADDS,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "sum of two tensors, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_add = {
    .op = &mfm_op_add,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .hands_back = mfm_sum_hands_back,
    .reads = MFM_READS_NONE,
};
