/* ReduceMin (ONNX 1, 11, 12, 13, 18, 20): the smallest number over some axes. Of equal ones, the
 * first in row-major order is the one that the derivative goes to; where one is NaN, so is the
 * result. */
#include "core/engine/ops/reduce/extreme.h"

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    if (lane == MFM_X)
        mfm_extreme_find(node, -1, mfm_out(node, 0, MFM_X), node->saved);
    else
        mfm_extreme_take(node, lane);
}

static const mfm_linear parts = {apply, mfm_extreme_give};

static const char *const samples[] = {MFM_REDUCTION_SAMPLES, "[2,3] noop_with_empty_axes=1", NULL};

const mfm_op mfm_op_reduce_min = {
    .name = "ReduceMin",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_18,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_extreme_infer,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "the smallest number over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_min = {
    .op = &mfm_op_reduce_min,
    .backend = MFM_CPU,
    .setup = mfm_extreme_setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
