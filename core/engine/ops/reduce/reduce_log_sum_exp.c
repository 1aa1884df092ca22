/* ReduceLogSumExp (ONNX 1, 11, 13, 18): y = m + log(sum of exp(x - m)) over some axes, m the
 * largest number, so that nothing overflows. With the slope p = exp(x - y), p' = p (x' - y'). */
#include <tgmath.h>

#include "core/engine/ops/reduce/extreme.h"

/* to = exp(x - y) */
static void exponentials(const mfm_reduction_row *r)
{
    for (int64_t i = 0; i < r->n; i++)
        r->to[i * r->step] = exp(r->x[i * r->step] - r->y[i * r->y_step]);
}

/* In scratch also the sums. */
static int setup(mfm_ctx *ctx, mfm_node *node)
{
    const int status = mfm_reduction_setup(ctx, node);
    node->scratch_size += (size_t)mfm_shape_count(&node->out[0]->shape);
    return status;
}

static void forward(const mfm_node *node)
{
    const int64_t results = mfm_shape_count(&node->out[0]->shape);
    real *y = mfm_out(node, 0, MFM_X), *t = node->scratch,
         *sums = t + mfm_shape_count(&node->in[0]->shape);
    mfm_extreme_find(node, 1, y, NULL);
    for (int64_t i = 0; i < results; i++)
        y[i] = isinf(y[i]) ? 0 : y[i]; /* of nothing but -inf, or with an inf */
    const mfm_reduction_row row = {.x = mfm_in(node, 0, MFM_X), .y = y, .u = y, .to = t};
    mfm_reduction_walk(node, exponentials, &row, true);
    mfm_reduction_sum(node, t, sums);
    for (int64_t i = 0; i < results; i++)
        y[i] += log(sums[i]);
}

static inline real p(real x, real y)
{
    return exp(x - y);
}

static void slope(const mfm_reduction_row *row)
{
    mfm_reduction_slopes(p, row);
}

static inline real p_tangent(real x, real y, real dx, real dy)
{
    return exp(x - y) * (dx - dy);
}

static void bend(const mfm_reduction_row *row)
{
    mfm_reduction_bends(p_tangent, row);
}

static const mfm_reduction parts = {forward, slope, bend};

static const char *const samples[] = {MFM_REDUCTION_SAMPLES, "[2,3] noop_with_empty_axes=1", NULL};

const mfm_op mfm_op_reduce_log_sum_exp = {
    .name = "ReduceLogSumExp",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_18,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_reduction_infer,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "logarithm of the sum of exponentials over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_log_sum_exp = {
    .op = &mfm_op_reduce_log_sum_exp,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_reduction,
    .parts = &parts,
    .reads = MFM_READS_IN | MFM_READS_OUT,
};
