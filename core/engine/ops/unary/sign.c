/* Sign (ONNX 9, 13): -1, 0 or 1. A step function: its derivative is zero. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

MFM_UNARY_STEPS(f)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[2,3,4] opset=9", NULL};

const mfm_op mfm_op_sign = {
    .name = "Sign",
    .domain = "",
    .since = 9,
    .inputs = mfm_unary_input,
    .outputs = mfm_unary_output,
    .shape = mfm_infer_same,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "-1, 0 or 1; its derivative is zero",
    .samples = samples,
};

const mfm_impl mfm_cpu_sign = {
    .op = &mfm_op_sign,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
