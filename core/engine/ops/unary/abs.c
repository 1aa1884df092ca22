/* Abs (ONNX 1, 6, 13): y = |x|, with slope 0 at 0. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return fabs(x);
}

static inline real slope(const void *attr, real x)
{
    (void)attr;
    return (real)((x > 0) - (x < 0));
}

MFM_UNARY_OF_X(f, slope, mfm_unary_straight)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[]", "[2,3,4] opset=1", NULL};

const mfm_op mfm_op_abs = {
    .name = "Abs",
    .domain = "",
    .since = 1,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .shape = mfm_infer_same,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "absolute value",
    .samples = samples,
};

const mfm_impl mfm_cpu_abs = {
    .op = &mfm_op_abs,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
