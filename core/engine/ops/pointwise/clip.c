/* Clip (ONNX 6, 11, 12, 13): y = min(max(x, min), max). The bounds are attributes until opset 10
 * and inputs 1 and 2 from 11 on; an absent bound does not bind. The slope is 1 where y lies
 * strictly between the bounds and 0 elsewhere, so only the output is kept. */
#include "core/engine/rules.h"

#include <math.h>

typedef struct clip_attr {
    double min, max;
} clip_attr;

static const mfm_attr_def attrs[] = {{.name = "min",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(clip_attr, min),
                                      .fallback = -INFINITY,
                                      .from_input = 1,
                                      .since = 11},
                                     {.name = "max",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(clip_attr, max),
                                      .fallback = INFINITY,
                                      .from_input = 2,
                                      .since = 11},
                                     {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const clip_attr *attr = node->attr;
    if (isnan(attr->min) || isnan(attr->max))
        return mfm_infer_fail(ctx, node, "bounds %g and %g: must be numbers", attr->min, attr->max);
    return mfm_infer_same(ctx, node);
}

static void value(const void *attr, size_t n, const real *x, real *y)
{
    const clip_attr *bounds = attr;
    const real low = (real)bounds->min, high = (real)bounds->max;
    for (size_t i = 0; i < n; i++) {
        const real raised = x[i] < low ? low : x[i];
        y[i] = raised > high ? high : raised; /* NaN stays NaN */
    }
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)x, (void)d2;
    const clip_attr *bounds = attr;
    const real low = (real)bounds->min, high = (real)bounds->max;
    for (size_t i = 0; i < n; i++)
        d1[i] = ((y[i] > low) & (y[i] < high)) ? 1 : 0;
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5] min=-0.31 max=0.43",
                                      "[4,7] min=0",
                                      "[9] max=0.2",
                                      "[3,4]",
                                      "[12] min=0.5 max=-0.5",
                                      "[2,3,4] min=-0.4 max=0.6 opset=6",
                                      NULL};

const mfm_op mfm_op_clip = {
    .name = "Clip",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(clip_attr),
    .shape = infer_shape,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "min(max(x, min), max)",
    .samples = samples,
};

const mfm_impl mfm_cpu_clip = {
    .op = &mfm_op_clip,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
