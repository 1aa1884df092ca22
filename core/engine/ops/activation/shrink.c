/* Shrink (ONNX 9): y = x + bias where x < -lambd, x - bias where x > lambd, 0 elsewhere. At the two
 * bounds the slope is 0. */
#include "core/engine/ops/unary/unary.h"

typedef struct shrink_attr {
    double bias, lambd;
} shrink_attr;

static const mfm_attr_def attrs[] = {
    {.name = "bias", .type = MFM_FLOAT, .offset = offsetof(shrink_attr, bias), .fallback = 0},
    {.name = "lambd", .type = MFM_FLOAT, .offset = offsetof(shrink_attr, lambd), .fallback = 0.5},
    {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const shrink_attr *attr = node->attr;
    if (!isfinite(attr->bias) || !isfinite(attr->lambd))
        return mfm_infer_fail(ctx, node, "bias %g, lambd %g: must be finite", attr->bias,
                              attr->lambd);
    return mfm_infer_same(ctx, node);
}

static inline real f(const void *attr, real x)
{
    const shrink_attr *a = attr;
    const real bias = (real)a->bias, most = (real)a->lambd;
    return x < -most ? x + bias : x > most ? x - bias : 0;
}

static inline real slope(const void *attr, real x)
{
    const shrink_attr *a = attr;
    return ((x < -(real)a->lambd) | (x > (real)a->lambd)) ? 1 : 0;
}

MFM_UNARY_OF_X(f, slope, mfm_unary_straight)

static const char *const samples[] = {"[2,3,5,5]", "[4,7] bias=1.5 lambd=1.11", "[9] lambd=0.63",
                                      "[2,3,4] opset=9", NULL};

const mfm_op mfm_op_shrink = {
    .name = "Shrink",
    .domain = "",
    .since = 9,
    .inputs = mfm_unary_input,
    .outputs = mfm_unary_output,
    .attrs = attrs,
    .attr_size = sizeof(shrink_attr),
    .shape = infer_shape,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x + bias below -lambd, x - bias above lambd, 0 between",
    .samples = samples,
};

const mfm_impl mfm_cpu_shrink = {
    .op = &mfm_op_shrink,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
