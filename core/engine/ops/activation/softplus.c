/* Softplus (ONNX 1, 22): y = log(1 + exp(x)). With s the sigmoid of x, f' = s and f'' = s (1 - s).
 */
#include "core/engine/ops/activation/softplus.h"
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return mfm_softplus(x);
}

static inline real slope(const void *attr, real x)
{
    (void)attr;
    return mfm_sigmoid(x);
}

static inline real curvature(const void *attr, real x)
{
    (void)attr;
    return mfm_sigmoid(x) * (1 - mfm_sigmoid(x));
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[2,3,4] opset=1", NULL};

const mfm_op mfm_op_softplus = {
    .name = "Softplus",
    .domain = "",
    .since = 1,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "log(1 + exp(x))",
    .samples = samples,
};

const mfm_impl mfm_cpu_softplus = {
    .op = &mfm_op_softplus,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
