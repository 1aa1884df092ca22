/* Round (ONNX 11, 22): halves go to the even number, as in the default rounding mode. A step
 * function: its derivative is zero. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return rint(x);
}

MFM_UNARY_STEPS(f)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[2,3,4] opset=11", NULL};

const mfm_op mfm_op_round = {
    .name = "Round",
    .domain = "",
    .since = 11,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .shape = mfm_infer_same,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "the nearest whole number, halves to even; its derivative is zero",
    .samples = samples,
};

const mfm_impl mfm_cpu_round = {
    .op = &mfm_op_round,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
