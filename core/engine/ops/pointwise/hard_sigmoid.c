/* HardSigmoid (ONNX 6, 22): y = max(0, min(1, alpha x + beta)). The slope is alpha where y lies
 * strictly between 0 and 1 and 0 elsewhere, so only the output is kept. */
#include "core/engine/rules.h"

#include <math.h>

typedef struct hard_sigmoid_attr {
    double alpha, beta;
} hard_sigmoid_attr;

static const mfm_attr_def attrs[] = {{.name = "alpha",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(hard_sigmoid_attr, alpha),
                                      .fallback = 0.2},
                                     {.name = "beta",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(hard_sigmoid_attr, beta),
                                      .fallback = 0.5},
                                     {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const hard_sigmoid_attr *attr = node->attr;
    if (!isfinite(attr->alpha) || !isfinite(attr->beta))
        return mfm_infer_fail(ctx, node, "alpha %g, beta %g: must be finite", attr->alpha,
                              attr->beta);
    return mfm_infer_same(ctx, node);
}

static void value(const void *attr, size_t n, const real *x, real *y)
{
    const hard_sigmoid_attr *line = attr;
    const real alpha = (real)line->alpha, beta = (real)line->beta;
    for (size_t i = 0; i < n; i++) {
        const real raw = alpha * x[i] + beta;
        const real raised = raw < 0 ? 0 : raw;
        y[i] = raised > 1 ? 1 : raised;
    }
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)x, (void)d2;
    const real alpha = (real)((const hard_sigmoid_attr *)attr)->alpha;
    for (size_t i = 0; i < n; i++)
        d1[i] = ((y[i] > 0) & (y[i] < 1)) ? alpha : 0;
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7] alpha=0.16666667", "[9] alpha=3 beta=0.4",
                                      "[2,3,4] alpha=-2 beta=0.3 opset=6", NULL};

const mfm_op mfm_op_hard_sigmoid = {
    .name = "HardSigmoid",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(hard_sigmoid_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_PROBABILITIES,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "max(0, min(1, alpha x + beta))",
    .samples = samples,
};

const mfm_impl mfm_cpu_hard_sigmoid = {
    .op = &mfm_op_hard_sigmoid,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
