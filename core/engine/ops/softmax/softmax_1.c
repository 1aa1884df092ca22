/* Softmax (ONNX 1, 11): the input is flattened to a matrix at the axis, and the sum runs along its
 * rows. The passes are those of opset 13. */
#include "core/engine/ops/softmax/softmax_axis.h"

static const mfm_attr_def attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(mfm_softmax_attr, axis), .fallback = 1},
    {0}};
static const char *const samples[] = {"[4,7] opset=9",
                                      "[2,5,3,2]",
                                      "[2,5,3,2] axis=2",
                                      "[2,5,3,2] axis=3",
                                      "[4,7] axis=0",
                                      "[2,3,4] axis=1 opset=1",
                                      "[2,3,4] axis=-1 opset=11",
                                      NULL};

const mfm_op mfm_op_softmax_1 = {
    .name = "Softmax",
    .domain = "",
    .since = 1,
    .until = 12,
    .inputs = mfm_softmax_inputs,
    .outputs = mfm_softmax_outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_softmax_attr),
    .shape = mfm_softmax_infer,
    .traits = MFM_SOFTMAX | MFM_PROBABILITIES,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "exp(x) / sum exp(x) over the axis and all after it",
    .samples = samples,
};

const mfm_impl mfm_cpu_softmax_1 = {
    .op = &mfm_op_softmax_1,
    .backend = MFM_CPU,
    .rule = &mfm_rule_softmax,
    .reads = MFM_READS_OUT,
};
