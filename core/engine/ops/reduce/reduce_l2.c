/* ReduceL2 (ONNX 1, 11, 13, 18): y = sqrt(sum of x^2) over some axes. With the slope p = x / y,
 * p' = (x' - p y') / y. Where all numbers are zero there is no derivative, and 0 is taken. */
#include <tgmath.h>

#include "core/engine/kernels/reduce.h"
#include "core/engine/ops/reduce/reduction.h"

static void forward(const mfm_node *node)
{
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_reduction_strides(node, x, y);
    mfm_reduce(&node->share, &node->in[0]->shape, mfm_in(node, 0, MFM_X), x, mfm_in(node, 0, MFM_X),
               x, 1, mfm_out(node, 0, MFM_X), y, false);
    const int64_t count = mfm_shape_count(&node->out[0]->shape);
    real *norm = mfm_out(node, 0, MFM_X);
    for (int64_t i = 0; i < count; i++)
        norm[i] = sqrt(norm[i]);
}

static inline real p(real x, real y)
{
    return y > 0 ? x / y : 0;
}

static void slope(const mfm_reduction_row *row)
{
    mfm_reduction_slopes(p, row);
}

static inline real p_tangent(real x, real y, real dx, real dy)
{
    return y > 0 ? (dx - x / y * dy) / y : 0;
}

static void bend(const mfm_reduction_row *row)
{
    mfm_reduction_bends(p_tangent, row);
}

static const mfm_reduction parts = {forward, slope, bend};

static const char *const samples[] = {MFM_REDUCTION_SAMPLES, NULL};

const mfm_op mfm_op_reduce_l2 = {
    .name = "ReduceL2",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_18,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_reduction_infer_some,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "root of the sum of squares over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_l2 = {
    .op = &mfm_op_reduce_l2,
    .backend = MFM_CPU,
    .setup = mfm_reduction_setup,
    .rule = &mfm_rule_reduction,
    .parts = &parts,
    .reads = MFM_READS_IN | MFM_READS_OUT,
};
