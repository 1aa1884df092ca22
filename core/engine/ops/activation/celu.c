/* Celu (ONNX 12): y = x where x > 0, alpha (exp(x / alpha) - 1) elsewhere; there f' = exp(x /
 * alpha) and f'' = f' / alpha. At 0 the slope is 1. */
#include "core/engine/ops/unary/unary.h"

typedef struct celu_attr {
    double alpha;
} celu_attr;

static const mfm_attr_def attrs[] = {
    {.name = "alpha", .type = MFM_FLOAT, .offset = offsetof(celu_attr, alpha), .fallback = 1}, {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const celu_attr *attr = node->attr;
    if (!isfinite(attr->alpha) || (real)attr->alpha == 0)
        return mfm_infer_fail(ctx, node, "alpha %g: must be finite and not 0", attr->alpha);
    return mfm_infer_same(ctx, node);
}

static inline real f(const void *attr, real x)
{
    const celu_attr *a = attr;
    return x > 0 ? x : (real)a->alpha * expm1(x / (real)a->alpha);
}

static inline real slope(const void *attr, real x)
{
    const celu_attr *a = attr;
    return x > 0 ? 1 : exp(x / (real)a->alpha);
}

static inline real curvature(const void *attr, real x)
{
    const celu_attr *a = attr;
    return x > 0 ? 0 : exp(x / (real)a->alpha) / (real)a->alpha;
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7] alpha=0.3", "[9] alpha=-2",
                                      "[2,3,4] alpha=1.5 opset=12", NULL};

const mfm_op mfm_op_celu = {
    .name = "Celu",
    .domain = "",
    .since = 12,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .attrs = attrs,
    .attr_size = sizeof(celu_attr),
    .shape = infer_shape,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x where x > 0, alpha (exp(x / alpha) - 1) elsewhere",
    .samples = samples,
};

const mfm_impl mfm_cpu_celu = {
    .op = &mfm_op_celu,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
