/* Asinh (ONNX 9, 22): f' = 1 / sqrt(1 + x^2), f'' = -x f'^3. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return asinh(x);
}

static inline real slope(const void *attr, real x)
{
    (void)attr;
    return 1 / sqrt(1 + x * x);
}

static inline real curvature(const void *attr, real x)
{
    (void)attr;
    return -x / ((1 + x * x) * sqrt(1 + x * x));
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[2,3,4] opset=9", NULL};

const mfm_op mfm_op_asinh = {
    .name = "Asinh",
    .domain = "",
    .since = 9,
    .inputs = mfm_unary_input,
    .outputs = mfm_unary_output,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "inverse hyperbolic sine",
    .samples = samples,
};

const mfm_impl mfm_cpu_asinh = {
    .op = &mfm_op_asinh,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
