/* Elu (ONNX 1, 6, 22): y = x where x > 0, alpha (exp(x) - 1) elsewhere; there f' = f'' =
 * alpha exp(x). At 0 the slope is alpha. */
#include "core/engine/ops/unary/unary.h"

typedef struct elu_attr {
    double alpha;
} elu_attr;

static const mfm_attr_def attrs[] = {
    {.name = "alpha", .type = MFM_FLOAT, .offset = offsetof(elu_attr, alpha), .fallback = 1}, {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const elu_attr *attr = node->attr;
    if (!isfinite(attr->alpha))
        return mfm_infer_fail(ctx, node, "alpha %g: must be finite", attr->alpha);
    return mfm_infer_same(ctx, node);
}

static inline real f(const void *attr, real x)
{
    const elu_attr *a = attr;
    return x > 0 ? x : (real)a->alpha * expm1(x);
}

static inline real slope(const void *attr, real x)
{
    const elu_attr *a = attr;
    return x > 0 ? 1 : (real)a->alpha * exp(x);
}

static inline real curvature(const void *attr, real x)
{
    const elu_attr *a = attr;
    return x > 0 ? 0 : (real)a->alpha * exp(x);
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7] alpha=0.3", "[9] alpha=-2",
                                      "[2,3,4] alpha=1.5 opset=1", NULL};

const mfm_op mfm_op_elu = {
    .name = "Elu",
    .domain = "",
    .since = 1,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .attrs = attrs,
    .attr_size = sizeof(elu_attr),
    .shape = infer_shape,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x where x > 0, alpha (exp(x) - 1) elsewhere",
    .samples = samples,
};

const mfm_impl mfm_cpu_elu = {
    .op = &mfm_op_elu,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
