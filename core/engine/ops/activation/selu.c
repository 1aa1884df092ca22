/* Selu (ONNX 6, 22): y = gamma x where x > 0, gamma alpha (exp(x) - 1) elsewhere; there f' = f'' =
 * gamma alpha exp(x). At 0 the slope is that of the left. Opset 1 had other defaults. */
#include "core/engine/ops/unary/unary.h"

typedef struct selu_attr {
    double alpha, gamma;
} selu_attr;

static const mfm_attr_def attrs[] = {{.name = "alpha",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(selu_attr, alpha),
                                      .fallback = 1.67326319217681884765625},
                                     {.name = "gamma",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(selu_attr, gamma),
                                      .fallback = 1.05070102214813232421875},
                                     {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const selu_attr *attr = node->attr;
    if (!isfinite(attr->alpha) || !isfinite(attr->gamma))
        return mfm_infer_fail(ctx, node, "alpha %g, gamma %g: must be finite", attr->alpha,
                              attr->gamma);
    return mfm_infer_same(ctx, node);
}

static inline real f(const void *attr, real x)
{
    const selu_attr *a = attr;
    return (real)a->gamma * (x > 0 ? x : (real)a->alpha * expm1(x));
}

static inline real slope(const void *attr, real x)
{
    const selu_attr *a = attr;
    return (real)a->gamma * (x > 0 ? 1 : (real)a->alpha * exp(x));
}

static inline real curvature(const void *attr, real x)
{
    const selu_attr *a = attr;
    return x > 0 ? 0 : (real)a->gamma * (real)a->alpha * exp(x);
}

MFM_UNARY_OF_X(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7] alpha=0.3", "[9] alpha=2 gamma=3",
                                      "[2,3,4] opset=6", NULL};

const mfm_op mfm_op_selu = {
    .name = "Selu",
    .domain = "",
    .since = 6,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .attrs = attrs,
    .attr_size = sizeof(selu_attr),
    .shape = infer_shape,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "gamma x where x > 0, gamma alpha (exp(x) - 1) elsewhere",
    .samples = samples,
};

const mfm_impl mfm_cpu_selu = {
    .op = &mfm_op_selu,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
