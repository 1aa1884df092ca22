/* Sum: of one or more tensors; with numpy's broadcasting from opset 8 on, of equal shapes before.
 */
#include "core/engine/kernels/broadcast.h"
#include "core/engine/ops/pointwise/elementwise.h"
#include "core/engine/rules.h"

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const mfm_shape *full = &node->out[0]->shape;
    real *y = mfm_out(node, 0, lane);
    if (node->n_in == 1) {
        mfm_broadcast_copy(full, &node->in[0]->shape, mfm_in(node, 0, lane), 1, y, false);
        return;
    }
    mfm_broadcast_binary(MFM_BINARY_ADD, full, &node->in[0]->shape, mfm_in(node, 0, lane),
                         &node->in[1]->shape, mfm_in(node, 1, lane), y, false);
    for (int i = 2; i < node->n_in; i++)
        mfm_broadcast_copy(full, &node->in[i]->shape, mfm_in(node, i, lane), 1, y, true);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    for (int i = 0; i < node->n_in; i++) {
        real *to = mfm_in(node, i, lane);
        if (to && to != mfm_out(node, 0, lane))
            mfm_broadcast_reduce(&node->share, &node->out[0]->shape, mfm_out(node, 0, lane), NULL,
                                 NULL, 1, &node->in[i]->shape, to, mfm_accumulates(node, i, lane));
    }
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"data_0", MFM_DATA, false, true}, {0}};
static const mfm_port outputs[] = {{"sum", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,4] [2,3,4,4]",
                                      "[2,3] [2,3] [2,3] [2,3]",
                                      "[2,3,2,2] [3,1,1] [2,1,2,1]",
                                      "[4]",
                                      "[3,1] [4] []",
                                      "[2,3,4] [2,3,4] opset=6",
                                      NULL};

const mfm_op mfm_op_sum = {
    .name = "Sum",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_broadcast_from_8,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "sum of one or more tensors, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_sum = {
    .op = &mfm_op_sum,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .hands_back = mfm_sum_hands_back,
    .reads = MFM_READS_NONE,
};
