/* ReduceL1 (ONNX 1, 11, 13, 18): y = sum of |x| over some axes. The slope is the sign of x, 0 at 0.
 */
#include <tgmath.h>

#include "core/engine/ops/reduce/reduction.h"

static void forward(const mfm_node *node)
{
    const int64_t count = mfm_shape_count(&node->in[0]->shape);
    const real *x = mfm_in(node, 0, MFM_X);
    for (int64_t i = 0; i < count; i++)
        node->scratch[i] = fabs(x[i]);
    mfm_reduction_sum(node, node->scratch, mfm_out(node, 0, MFM_X));
}

static inline real p(real x, real y)
{
    (void)y;
    return (real)((x > 0) - (x < 0));
}

static void slope(const mfm_reduction_row *row)
{
    mfm_reduction_slopes(p, row);
}

static const mfm_reduction parts = {forward, slope, NULL};

static const char *const samples[] = {MFM_REDUCTION_SAMPLES, NULL};

const mfm_op mfm_op_reduce_l1 = {
    .name = "ReduceL1",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_18,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_reduction_infer_some,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "sum of absolute values over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_l1 = {
    .op = &mfm_op_reduce_l1,
    .backend = MFM_CPU,
    .setup = mfm_reduction_setup,
    .rule = &mfm_rule_reduction,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
