/* Max (ONNX 6, 8, 12, 13): the largest of one or more tensors, number by number; with numpy's
 * broadcasting from opset 8 on, of equal shapes before. Where several are largest, the first
 * input's is the one that the derivative goes to; where one is NaN, so is the result. */
#include "core/engine/ops/pointwise/elementwise.h"
#include "core/engine/ops/select/select.h"

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    if (lane == MFM_X)
        mfm_select_extreme(node, 1);
    else
        mfm_select_take(node, lane);
}

static const mfm_linear parts = {apply, mfm_select_give};

static const mfm_port inputs[] = {{"data_0", MFM_DATA, false, true}, {0}};
static const mfm_port outputs[] = {{"max", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,4] [2,3,4,4]",
                                      "[2,3] [2,3] [2,3] [2,3]",
                                      "[2,3,2,2] [3,1,1] [2,1,2,1]",
                                      "[4]",
                                      "[3,1] [4] []",
                                      "[2,3,4] [2,3,4] opset=6",
                                      NULL};

const mfm_op mfm_op_max = {
    .name = "Max",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_broadcast_from_8,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "the largest of one or more tensors, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_max = {
    .op = &mfm_op_max,
    .backend = MFM_CPU,
    .setup = mfm_select_setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
