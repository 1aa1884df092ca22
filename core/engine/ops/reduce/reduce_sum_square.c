/* ReduceSumSquare (ONNX 1, 11, 13, 18): y = sum of x^2 over some axes. With the slope p = 2 x,
 * p' = 2 x'. */
#include "core/engine/kernels/reduce.h"
#include "core/engine/ops/reduce/reduction.h"

static void forward(const mfm_node *node)
{
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_reduction_strides(node, x, y);
    mfm_reduce(&node->share, &node->in[0]->shape, mfm_in(node, 0, MFM_X), x, mfm_in(node, 0, MFM_X),
               x, 1, mfm_out(node, 0, MFM_X), y, false);
}

static inline real p(real x, real y)
{
    (void)y;
    return 2 * x;
}

static void slope(const mfm_reduction_row *row)
{
    mfm_reduction_slopes(p, row);
}

static inline real p_tangent(real x, real y, real dx, real dy)
{
    (void)x;
    (void)y;
    (void)dy;
    return 2 * dx;
}

static void bend(const mfm_reduction_row *row)
{
    mfm_reduction_bends(p_tangent, row);
}

static const mfm_reduction parts = {forward, slope, bend};

static const char *const samples[] = {MFM_REDUCTION_SAMPLES, NULL};

const mfm_op mfm_op_reduce_sum_square = {
    .name = "ReduceSumSquare",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_18,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_reduction_infer_some,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "sum of squares over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_sum_square = {
    .op = &mfm_op_reduce_sum_square,
    .backend = MFM_CPU,
    .setup = mfm_reduction_setup,
    .rule = &mfm_rule_reduction,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
