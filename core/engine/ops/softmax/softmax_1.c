/* Softmax (ONNX 1, 11): the input is flattened to a matrix at the axis, and the sum runs along its
 * rows. The passes are those of opset 13. */
#include "core/engine/ops/softmax/softmax_axis.h"

const mfm_op mfm_op_softmax_1 = {
    .name = "Softmax",
    .domain = "",
    .since = 1,
    .until = 12,
    .inputs = mfm_softmax_inputs,
    .outputs = mfm_softmax_outputs,
    .attrs = mfm_softmax_attrs_1,
    .attr_size = sizeof(mfm_softmax_attr),
    .shape = mfm_softmax_infer,
    .traits = MFM_SOFTMAX | MFM_PROBABILITIES | MFM_ALONG_LAST,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "exp(x) / sum exp(x) over the axis and all after it",
    .samples = mfm_softmax_samples_1,
};

const mfm_impl mfm_cpu_softmax_1 = {
    .op = &mfm_op_softmax_1,
    .backend = MFM_CPU,
    .rule = &mfm_rule_softmax,
    .reads = MFM_READS_OUT,
};
