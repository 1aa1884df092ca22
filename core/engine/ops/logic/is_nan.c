/* IsNaN (ONNX 9, 13, 20): 1 where x is none of the numbers, 0 elsewhere. It has no derivative.
 * PyTorch's newest exporter puts it behind the softmax of attention, for rows that are masked. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return x != x ? 1 : 0;
}

MFM_UNARY_STEPS(f)

static const mfm_port outputs[] = {{"Y", MFM_INDEX, false, false}, {0}};

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[]", "[2,3,4] opset=9", NULL};

const mfm_op mfm_op_is_nan = {
    .name = "IsNaN",
    .domain = "",
    .since = 9,
    .inputs = mfm_unary_input,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "whether x is not a number (NaN); no derivative",
    .samples = samples,
};

const mfm_impl mfm_cpu_is_nan = {
    .op = &mfm_op_is_nan,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
