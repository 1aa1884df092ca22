/* ReduceMean (ONNX 1, 11, 13, 18): the mean over some axes. */
#include "core/engine/ops/reduce/reduction.h"

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_reduction_scaled(node, lane, mfm_reduction_share(node));
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    mfm_reduction_spread(node, lane, mfm_reduction_share(node));
}

static const mfm_linear parts = {apply, adjoint};

static const char *const samples[] = {"[2,3,4,5] axes=2,3",
                                      "[2,3,4,5] axes=2,3 keepdims=0",
                                      "[2,3,4,5] axes=1 keepdims=0",
                                      "[2,3,4,5] axes=-2 keepdims=0",
                                      "[2,3,4]",
                                      "[2,3,4] keepdims=0",
                                      "[2,3] noop_with_empty_axes=1",
                                      "[2,3,2,2,2] axes=0,2",
                                      "[2,1,1,1] axes=2,3",
                                      NULL};

const mfm_op mfm_op_reduce_mean = {
    .name = "ReduceMean",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_18,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_reduction_infer,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "mean over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_mean = {
    .op = &mfm_op_reduce_mean,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
