/* ThresholdedRelu (ONNX 10, 22): y = x where x > alpha, 0 elsewhere. At alpha the slope is 0. */
#include "core/engine/ops/unary/unary.h"

typedef struct thresholded_relu_attr {
    double alpha;
} thresholded_relu_attr;

static const mfm_attr_def attrs[] = {{.name = "alpha",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(thresholded_relu_attr, alpha),
                                      .fallback = 1},
                                     {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const thresholded_relu_attr *attr = node->attr;
    if (isnan(attr->alpha))
        return mfm_infer_fail(ctx, node, "alpha %g: must be a number", attr->alpha);
    return mfm_infer_same(ctx, node);
}

static inline real f(const void *attr, real x)
{
    const thresholded_relu_attr *a = attr;
    return x > (real)a->alpha ? x : 0;
}

static inline real slope(const void *attr, real x)
{
    const thresholded_relu_attr *a = attr;
    return x > (real)a->alpha ? 1 : 0;
}

MFM_UNARY_OF_X(f, slope, mfm_unary_straight)

static const char *const samples[] = {"[2,3,5,5]", "[4,7] alpha=0.31", "[9] alpha=-0.63",
                                      "[2,3,4] opset=10", NULL};

const mfm_op mfm_op_thresholded_relu = {
    .name = "ThresholdedRelu",
    .domain = "",
    .since = 10,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .attrs = attrs,
    .attr_size = sizeof(thresholded_relu_attr),
    .shape = infer_shape,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x where x > alpha, 0 elsewhere",
    .samples = samples,
};

const mfm_impl mfm_cpu_thresholded_relu = {
    .op = &mfm_op_thresholded_relu,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
