/* Tan (ONNX 7, 22): y = tan x. From the output alone
 *     f' = 1 + y^2        f'' = 2 y (1 + y^2). */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return tan(x);
}

static inline real slope(const void *attr, real y)
{
    (void)attr;
    return 1 + y * y;
}

static inline real curvature(const void *attr, real y)
{
    (void)attr;
    return 2 * y * (1 + y * y);
}

MFM_UNARY_OF_Y(f, slope, curvature)

static const char *const samples[] = {"[2,3]", "[4,2]", "[1]", "[2,3] opset=7", NULL};

const mfm_op mfm_op_tan = {
    .name = "Tan",
    .domain = "",
    .since = 7,
    .inputs = mfm_unary_input,
    .outputs = mfm_unary_output,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "tangent",
    .samples = samples,
};

const mfm_impl mfm_cpu_tan = {
    .op = &mfm_op_tan,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
