/* Softsign (ONNX 1, 22): y = x / (1 + |x|), f' = 1 / (1 + |x|)^2, f'' = -2 sign(x) / (1 + |x|)^3.
 */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return x / (1 + fabs(x));
}

static inline real slope(const void *attr, real x)
{
    (void)attr;
    const real d = 1 + fabs(x);
    return 1 / (d * d);
}

static inline real curvature(const void *attr, real x)
{
    (void)attr;
    const real d = 1 + fabs(x);
    return (x > 0 ? -2 : 2) / (d * d * d);
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[2,3,4] opset=1", NULL};

const mfm_op mfm_op_softsign = {
    .name = "Softsign",
    .domain = "",
    .since = 1,
    .inputs = mfm_unary_input,
    .outputs = mfm_unary_output,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x / (1 + abs(x))",
    .samples = samples,
};

const mfm_impl mfm_cpu_softsign = {
    .op = &mfm_op_softsign,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
