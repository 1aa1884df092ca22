/* Cos (ONNX 7, 22): f' = -sin x, f'' = -cos x. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return cos(x);
}

static inline real slope(const void *attr, real x)
{
    (void)attr;
    return -sin(x);
}

static inline real curvature(const void *attr, real x)
{
    (void)attr;
    return -cos(x);
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[2,3,4] opset=7", NULL};

const mfm_op mfm_op_cos = {
    .name = "Cos",
    .domain = "",
    .since = 7,
    .inputs = mfm_unary_input,
    .outputs = mfm_unary_output,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "cosine",
    .samples = samples,
};

const mfm_impl mfm_cpu_cos = {
    .op = &mfm_op_cos,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
