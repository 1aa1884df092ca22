/*
 * Conv (ONNX 1, 11, 22) over images, lines and volumes: y = x * w + b, bilinear in x and w. The
 * weights are [o, c / group, kh, kw], or [.., kw], or [.., kd, kh, kw]; the bias, when there is
 * one, has o elements.
 */
#include "core/engine/ops/images/conv_common.h"

static const mfm_attr_def attrs[] = {
    MFM_WINDOW_ATTRS,
    {.name = "kernel_shape", .type = MFM_INTS, .offset = offsetof(mfm_window_attr, kernel_shape)},
    {.name = "group", .type = MFM_INT, .offset = offsetof(mfm_conv_attr, group), .fallback = 1},
    {0}};

static int check_channels(mfm_ctx *ctx, const mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    const int64_t group = ((const mfm_conv_attr *)node->attr)->group;
    char text[MFM_SHAPE_TEXT];
    const int status = mfm_conv_check_ranks(ctx, node);
    if (status)
        return status;
    if (group < 1 || x->dim[1] % group || w->dim[0] % group || w->dim[0] < 1)
        return mfm_infer_fail(ctx, node, "group %lld of %lld to %lld channels: must divide both",
                              (long long)group, (long long)x->dim[1], (long long)w->dim[0]);
    if (w->dim[1] != x->dim[1] / group)
        return mfm_infer_fail(ctx, node,
                              "weights %s: must take %lld channels, those of the input by group",
                              mfm_shape_text(w, text), (long long)(x->dim[1] / group));
    return mfm_conv_check_bias(ctx, node, w->dim[0]);
}

static mfm_conv_shape shape_of(const mfm_node *node, const mfm_window *window)
{
    return mfm_conv_shape_of(node, window, &node->in[0]->shape, window->in, &node->out[0]->shape,
                             window->out);
}

int mfm_conv_infer(mfm_ctx *ctx, mfm_node *node, mfm_window *window)
{
    int status = check_channels(ctx, node);
    if (!status)
        status = mfm_window_infer(ctx, node, &node->in[1]->shape.dim[2], window);
    if (status)
        return status;
    node->out[0]->shape =
        mfm_window_result(window, node->in[0]->shape.dim[0], node->in[1]->shape.dim[0]);
    const mfm_conv_shape shape = shape_of(node, window);
    return mfm_conv_check_result(ctx, node, "convolution result", &shape);
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    mfm_window window;
    return mfm_conv_infer(ctx, node, &window);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    mfm_window window;
    const int status = mfm_window_infer(ctx, node, &node->in[1]->shape.dim[2], &window);
    if (status)
        return status;
    const mfm_conv_shape shape = shape_of(node, &window);
    return mfm_conv_setup(ctx, node, &shape, node->frozen);
}

static void prepare(const mfm_node *node)
{
    mfm_conv_pack(node->kernel, mfm_in(node, 1, MFM_X), node->packed);
}

/* A frozen node has no tangents: w is then what was packed. */
static void product(const mfm_node *node, const real *x, const real *w, real *y, bool add)
{
    if (node->packed)
        mfm_conv_forward_packed(node->kernel, x, node->packed, y, add, node->scratch);
    else
        mfm_conv_forward(node->kernel, x, w, y, add, node->scratch);
}

static void product_pair(const mfm_node *node, const real *x1, const real *w1, const real *x2,
                         const real *w2, real *y)
{
    mfm_conv_forward_pair(node->kernel, x1, w1, x2, w2, y, node->scratch);
}

static void adjoint_x(const mfm_node *node, const real *g, const real *w, real *gx, bool add)
{
    mfm_conv_backward_data(node->kernel, g, w, gx, add, node->scratch);
}

static void adjoint_w(const mfm_node *node, const real *g, const real *x, real *gw, bool add)
{
    mfm_conv_backward_weights(node->kernel, g, x, gw, add, node->scratch);
}

static void product_bias(const mfm_node *node, const real *x, const real *w, const real *b, real *y)
{
    if (mfm_conv_takes_bias(node->kernel)) {
        mfm_conv_forward_bias(node->kernel, x, w, node->packed, b, y, node->scratch);
        return;
    }
    product(node, x, w, y, false);
    mfm_conv_bias(node, b, y, true);
}

int64_t mfm_conv_macs(const mfm_node *node)
{
    const mfm_shape *w = &node->in[1]->shape;
    return mfm_count_times(mfm_shape_count(&node->out[0]->shape), mfm_shape_count(w) / w->dim[0]);
}

static const mfm_bilinear parts = {.product = product,
                                   .adjoint_a = adjoint_x,
                                   .adjoint_b = adjoint_w,
                                   .bias = mfm_conv_bias,
                                   .adjoint_bias = mfm_conv_adjoint_bias,
                                   .product_bias = product_bias,
                                   .product_pair = product_pair};

static const char *const samples[] = {
    "[2,3,5,5] [4,3,3,3] [4] pads=1,1,1,1",
    "[2,3,5,5] [4,3,3,3]",
    "[1,1,1,1] [1,1,1,1] [1]",
    "[8,16,6,7] [16,16,3,3] [16] pads=1,1,1,1",
    "[2,4,3,5] [6,4,1,1] [6] kernel_shape=1,1",
    "[2,4,5,4] [6,4,1,1] - strides=2,2",
    "[2,2,7,6] [3,2,3,2] [3] strides=2,3 pads=1,0,2,1",
    "[1,2,7,7] [2,2,3,3] [2] dilations=2,2 pads=2,2,2,2",
    "[1,2,6,7] [3,2,2,3] [3] dilations=3,2 strides=2,1 pads=1,2,1,0",
    "[2,4,4,3] [6,2,3,3] [6] group=2 pads=1,1,1,1",
    "[2,4,4,4] [4,1,3,3] [4] group=4 pads=1,1,1,1",
    "[1,3,4,4] [6,1,2,2] - group=3 strides=2,2",
    "[2,2,5,4] [3,2,3,2] [3] auto_pad=SAME_UPPER strides=2,2",
    "[2,2,4,5] [3,2,2,4] [3] auto_pad=SAME_LOWER",
    "[2,2,5,5] [3,2,3,3] [3] auto_pad=VALID strides=2,2",
    "[1,2,5,5] [3,2,5,5] [3] opset=1",
    "[2,1,7] [1,1,3] - pads=1,1",
    "[2,4,6] [6,2,3] [6] group=2 strides=2 pads=1,0",
    "[2,2,3,4,5] [3,2,2,3,2] [3] strides=1,2,1 pads=0,1,1,1,0,0",
    "[1,2,3,3,3] [2,1,3,2,2] [2] group=2 dilations=2,1,2 pads=2,0,1,2,1,1",
    NULL};

const mfm_op mfm_op_conv = {
    .name = "Conv",
    .domain = "",
    .since = 1,
    .inputs = mfm_conv_inputs,
    .outputs = mfm_conv_outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_conv_attr),
    .shape = infer_shape,
    .macs = mfm_conv_macs,
    .batch = MFM_BATCH_FIRST,
    .summary = "convolution over images, lines or volumes, in groups, with optional bias",
    .samples = samples,
};

const mfm_impl mfm_cpu_conv = {
    .op = &mfm_op_conv,
    .backend = MFM_CPU,
    .setup = setup,
    .prepare = prepare,
    .release = mfm_conv_release,
    .rule = &mfm_rule_bilinear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
