/* Atan (ONNX 7, 22): f' = 1 / (1 + x^2), f'' = -2 x f'^2. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return atan(x);
}

static inline real slope(const void *attr, real x)
{
    (void)attr;
    return 1 / (1 + x * x);
}

static inline real curvature(const void *attr, real x)
{
    (void)attr;
    return -2 * x / ((1 + x * x) * (1 + x * x));
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[2,3,4] opset=7", NULL};

const mfm_op mfm_op_atan = {
    .name = "Atan",
    .domain = "",
    .since = 7,
    .inputs = mfm_unary_input,
    .outputs = mfm_unary_output,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "inverse tangent",
    .samples = samples,
};

const mfm_impl mfm_cpu_atan = {
    .op = &mfm_op_atan,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
