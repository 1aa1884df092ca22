/* Floor (ONNX 1, 6, 13). A step function: its derivative is zero. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return floor(x);
}

MFM_UNARY_STEPS(f)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[]", "[2,3,4] opset=1", NULL};

const mfm_op mfm_op_floor = {
    .name = "Floor",
    .domain = "",
    .since = 1,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .shape = mfm_infer_same,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "the whole number at or below; its derivative is zero",
    .samples = samples,
};

const mfm_impl mfm_cpu_floor = {
    .op = &mfm_op_floor,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
