/* LeakyRelu (ONNX 6, 16): y = x where x >= 0, alpha x where x < 0. With alpha >= 0 the sign of y
 * tells the branch, so only the output is kept; at x = 0 the slope is alpha. */
#include "core/engine/rules.h"

#include <math.h>

typedef struct leaky_relu_attr {
    double alpha;
} leaky_relu_attr;

static const mfm_attr_def attrs[] = {{.name = "alpha",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(leaky_relu_attr, alpha),
                                      .fallback = 0.01},
                                     {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const leaky_relu_attr *attr = node->attr;
    if (!isfinite(attr->alpha) || attr->alpha < 0)
        return mfm_infer_fail(ctx, node, "alpha %g: must be finite and not negative", attr->alpha);
    return mfm_infer_same(ctx, node);
}

static void value(const void *attr, size_t n, const real *x, real *y)
{
    const real alpha = (real)((const leaky_relu_attr *)attr)->alpha;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? alpha * x[i] : x[i];
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)x, (void)d2;
    const real alpha = (real)((const leaky_relu_attr *)attr)->alpha;
    for (size_t i = 0; i < n; i++)
        d1[i] = y[i] > 0 ? 1 : alpha;
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7] alpha=0.3", "[9] alpha=0",
                                      "[2,3,4] alpha=1.5 opset=6", NULL};

const mfm_op mfm_op_leaky_relu = {
    .name = "LeakyRelu",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(leaky_relu_attr),
    .shape = infer_shape,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x where x >= 0, alpha x elsewhere; alpha >= 0",
    .samples = samples,
};

const mfm_impl mfm_cpu_leaky_relu = {
    .op = &mfm_op_leaky_relu,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
