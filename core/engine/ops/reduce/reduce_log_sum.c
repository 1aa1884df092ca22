/* ReduceLogSum (ONNX 1, 11, 13, 18): y = log(sum of x) over some axes. With the slope p = exp(-y),
 * p' = -p y'. */
#include <tgmath.h>

#include "core/engine/ops/reduce/reduction.h"

static void forward(const mfm_node *node)
{
    mfm_reduction_sum(node, mfm_in(node, 0, MFM_X), mfm_out(node, 0, MFM_X));
    const int64_t count = mfm_shape_count(&node->out[0]->shape);
    real *y = mfm_out(node, 0, MFM_X);
    for (int64_t i = 0; i < count; i++)
        y[i] = log(y[i]);
}

static inline real p(real x, real y)
{
    (void)x;
    return exp(-y);
}

static void slope(const mfm_reduction_row *row)
{
    mfm_reduction_slopes(p, row);
}

static inline real p_tangent(real x, real y, real dx, real dy)
{
    (void)x;
    (void)dx;
    return -exp(-y) * dy;
}

static void bend(const mfm_reduction_row *row)
{
    mfm_reduction_bends(p_tangent, row);
}

static const mfm_reduction parts = {forward, slope, bend};

static const char *const samples[] = {"[2,3,4,5]+ axes=2,3",
                                      "[2,3,4,5]+ axes=2,3 keepdims=0",
                                      "[2,3,4,5]+ axes=1 keepdims=0",
                                      "[2,3,4,5]+ axes=-2 keepdims=0",
                                      "[2,3,4]+",
                                      "[2,3,4]+ keepdims=0",
                                      "[2,3,2,2,2]+ axes=0,2",
                                      "[2,1,1,1]+ axes=2,3",
                                      "[2,3,4,5]+ axes=3",
                                      "[2,3]+ axes=1 opset=1",
                                      NULL};

const mfm_op mfm_op_reduce_log_sum = {
    .name = "ReduceLogSum",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_18,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_reduction_infer_some,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "logarithm of the sum over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_log_sum = {
    .op = &mfm_op_reduce_log_sum,
    .backend = MFM_CPU,
    .setup = mfm_reduction_setup,
    .rule = &mfm_rule_reduction,
    .parts = &parts,
    .reads = MFM_READS_IN | MFM_READS_OUT,
};
