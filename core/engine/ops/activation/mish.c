/* Mish (ONNX 18, 22): y = x t, t = tanh(log(1 + exp(x))). With s the sigmoid of x and w = 1 - t^2,
 * t' = s w and
 *     f'  = t + x s w
 *     f'' = w (2 s + x s (1 - s) - 2 x t s^2). */
#include "core/engine/ops/activation/softplus.h"
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return x * tanh(mfm_softplus(x));
}

static inline real slope(const void *attr, real x)
{
    (void)attr;
    const real t = tanh(mfm_softplus(x));
    return t + x * mfm_sigmoid(x) * (1 - t * t);
}

static inline real curvature(const void *attr, real x)
{
    (void)attr;
    const real t = tanh(mfm_softplus(x)), s = mfm_sigmoid(x);
    return (1 - t * t) * s * (2 + x * (1 - s) - 2 * x * t * s);
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[2,3,4] opset=18", NULL};

const mfm_op mfm_op_mish = {
    .name = "Mish",
    .domain = "",
    .since = 18,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x tanh(log(1 + exp(x)))",
    .samples = samples,
};

const mfm_impl mfm_cpu_mish = {
    .op = &mfm_op_mish,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
