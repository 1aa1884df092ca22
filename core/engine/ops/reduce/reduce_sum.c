/* ReduceSum (ONNX 1, 11, 13): the sum over some axes. */
#include "core/engine/ops/reduce/reduction.h"

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_reduction_scaled(node, lane, 1);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    mfm_reduction_spread(node, lane, 1);
}

static const mfm_linear parts = {apply, adjoint};

static const char *const samples[] = {MFM_REDUCTION_SAMPLES, "[2,3] noop_with_empty_axes=1", NULL};

const mfm_op mfm_op_reduce_sum = {
    .name = "ReduceSum",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_13,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_reduction_infer,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "sum over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_sum = {
    .op = &mfm_op_reduce_sum,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
