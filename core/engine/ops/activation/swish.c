/* Swish (ONNX 24), also SiLU: y = x s, with s = 1 / (1 + exp(-t)) and t = alpha x, whose
 * derivative by t is s (1 - s):
 *     f' = s + t s (1 - s)        f'' = alpha s (1 - s) (2 + t (1 - 2 s)).
 * y is not monotonic below 0, so the input is kept. */
#include <math.h>

#include "core/engine/fusion.h"
#include "core/engine/kernels/vec_math.h"
#include "core/engine/rules.h"

typedef struct swish_attr {
    double alpha;
} swish_attr;

static const mfm_attr_def attrs[] = {
    {.name = "alpha", .type = MFM_FLOAT, .offset = offsetof(swish_attr, alpha), .fallback = 1},
    {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const double alpha = ((const swish_attr *)node->attr)->alpha;
    if (!isfinite(alpha))
        return mfm_infer_fail(ctx, node, "alpha %g: must be finite", alpha);
    return mfm_infer_same(ctx, node);
}

static void value(const void *attr, size_t n, const real *x, real *y)
{
    const real alpha = (real)((const swish_attr *)attr)->alpha;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * mfm_vec_sigmoid(alpha * x[i]);
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)y;
    const real alpha = (real)((const swish_attr *)attr)->alpha;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real t = alpha * x[i], s = mfm_vec_sigmoid(t);
        d1[i] = s + t * s * (1 - s);
    }
    if (!d2)
        return;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real t = alpha * x[i], s = mfm_vec_sigmoid(t);
        d2[i] = alpha * s * (1 - s) * (2 + t * (1 - 2 * s));
    }
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7] alpha=1.702", "[9] alpha=-0.5", "[]",
                                      NULL};

/* As exporters write it before there was a Swish. */
static const char *const fuses[] = {"s = Sigmoid X; Y = Mul X s", NULL};

const mfm_op mfm_op_swish = {
    .name = "Swish",
    .domain = "",
    .since = 24,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(swish_attr),
    .shape = infer_shape,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .fuses = fuses,
    .summary = "x / (1 + exp(-alpha x))",
    .samples = samples,
};

const mfm_impl mfm_cpu_swish = {
    .op = &mfm_op_swish,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
