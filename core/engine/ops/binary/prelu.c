/*
 * PRelu (ONNX 1, 6, 7, 9, 16): y = x where x > 0, slope x elsewhere. The slope is stretched to the
 * shape of x; up to opset 6 it holds one number, or one for each channel. At x = 0 the derivative
 * is the slope.
 */
#include "core/engine/kernels/broadcast.h"
#include "core/engine/ops/binary/two_operands.h"

/* Channels are axis 1. */
static mfm_shape operand(const mfm_node *node, int slot)
{
    const mfm_shape *x = &node->in[0]->shape, *own = &node->in[slot]->shape;
    if (slot == 0 || node->opset >= 7 || own->rank != 1 || own->dim[0] == 1 || x->rank < 2)
        return *own;
    mfm_shape shape = {.rank = x->rank - 1, .dim = {own->dim[0]}};
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = 1;
    return shape;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape, slope = operand(node, 1);
    mfm_shape full;
    if (!mfm_broadcast_shape(x, &slope, &full) || !mfm_shape_equal(x, &full)) {
        char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
        return mfm_infer_fail(ctx, node, "slope %s: cannot be stretched to %s",
                              mfm_shape_text(&node->in[1]->shape, a), mfm_shape_text(x, b));
    }
    return mfm_infer_same(ctx, node);
}

static inline real f(real x, real slope)
{
    return x > 0 ? x : slope * x; /* NaN stays NaN */
}

static inline real f_x(real x, real slope)
{
    return x > 0 ? 1 : slope;
}

static inline real f_slope(real x, real slope)
{
    (void)slope;
    return x > 0 ? 0 : x;
}

static inline real f_x_slope(real x, real slope)
{
    (void)slope;
    return (real)(x > 0 ? 0 : 1);
}

MFM_OF_TWO(value, f)
MFM_OF_TWO(by_x, f_x)
MFM_OF_TWO(by_slope, f_slope)
MFM_OF_TWO(by_both, f_x_slope)

static const mfm_two_operands parts = {.value = value,
                                       .first = {by_x, by_slope},
                                       .second = {{NULL, by_both}, {by_both, NULL}},
                                       .operand = operand};

static const mfm_port inputs[] = {
    {"X", MFM_DATA, false, false}, {"slope", MFM_PARAM, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5] [3,1,1]",
                                      "[2,3,4,5] [2,3,4,5]",
                                      "[2,3,4] [1,3,1]",
                                      "[4,7] [7]",
                                      "[4,7] [1]",
                                      "[9] []",
                                      "[2,3,4,5] [3] opset=1",
                                      "[2,3,4] [3] opset=6",
                                      "[4,7] [7] opset=6",
                                      "[2,3,4] [1] opset=6",
                                      NULL};

const mfm_op mfm_op_prelu = {
    .name = "PRelu",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = infer_shape,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x where x > 0, slope x elsewhere",
    .samples = samples,
};

const mfm_impl mfm_cpu_prelu = {
    .op = &mfm_op_prelu,
    .backend = MFM_CPU,
    .setup = mfm_two_operands_setup,
    .rule = &mfm_rule_two_operands,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
