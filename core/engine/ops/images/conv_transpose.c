/*
 * ConvTranspose (ONNX 1, 11, 22) over images, lines and volumes: the adjoint of a convolution from
 * results y to inputs x, with the weights [c, o / group, ...] that this convolution has. So the
 * kernels change places:
 *     y = adjoint of the data (x, w),   gx = convolution of g with w,
 *     gw = adjoint of the weights for the result x and the image g.
 * Along each axis
 *     length = stride (in - 1) + output_padding + (k - 1) dilation + 1 - pads;
 * output_shape and auto_pad SAME, with length = in stride, give the length instead, and the pads
 * follow, their odd one at the begin unless SAME_UPPER.
 */
#include "core/engine/ops/images/conv_common.h"

/* No length is greater. */
enum { LONGEST = 1 << 24 };

static const mfm_attr_def attrs[] = {
    MFM_WINDOW_ATTRS,
    {.name = "kernel_shape", .type = MFM_INTS, .offset = offsetof(mfm_window_attr, kernel_shape)},
    {.name = "group", .type = MFM_INT, .offset = offsetof(mfm_conv_attr, group), .fallback = 1},
    {.name = "output_padding", .type = MFM_INTS, .offset = offsetof(mfm_conv_attr, output_padding)},
    {.name = "output_shape", .type = MFM_INTS, .offset = offsetof(mfm_conv_attr, output_shape)},
    {0}};

static int check_channels(mfm_ctx *ctx, const mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    const int64_t group = ((const mfm_conv_attr *)node->attr)->group;
    char text[MFM_SHAPE_TEXT];
    const int status = mfm_conv_check_ranks(ctx, node);
    if (status)
        return status;
    if (group < 1 || x->dim[1] % group || w->dim[1] < 1)
        return mfm_infer_fail(ctx, node, "group %lld of %lld channels: must divide them",
                              (long long)group, (long long)x->dim[1]);
    if (w->dim[0] != x->dim[1])
        return mfm_infer_fail(ctx, node, "weights %s: must begin with the input's %lld channels",
                              mfm_shape_text(w, text), (long long)x->dim[1]);
    return mfm_conv_check_bias(ctx, node, mfm_count_times(w->dim[1], group));
}

/* Entry i of a list; `fallback` when the list is not given. */
static int64_t entry(const mfm_ints *list, int i, int64_t fallback)
{
    return list->count > 0 ? list->v[i] : fallback;
}

static int check_list(mfm_ctx *ctx, const mfm_node *node, const char *name, const mfm_ints *list)
{
    const int axes = node->in[0]->shape.rank - 2;
    if (list->count > 0 && list->count != axes)
        return mfm_infer_fail(ctx, node, "%s: %d numbers: must be %d", name, list->count, axes);
    for (int i = 0; i < list->count; i++)
        if (list->v[i] < 0 || list->v[i] > LONGEST)
            return mfm_infer_fail(ctx, node, "%s: %lld: must be in [0, %d]", name,
                                  (long long)list->v[i], LONGEST);
    return MFM_OK;
}

/* Entry i of the lists is for `axis`. */
static int place_axis(mfm_ctx *ctx, const mfm_node *node, mfm_window *w, int axis, int i)
{
    const mfm_conv_attr *attr = node->attr;
    const int pad = attr->window.auto_pad;
    const bool same = pad == MFM_PAD_SAME_UPPER || pad == MFM_PAD_SAME_LOWER;
    const int64_t more = entry(&attr->output_padding, i, 0);
    const int64_t full =
        w->stride[axis] * (w->in[axis] - 1) + more + (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    if (attr->output_shape.count > 0 || same) {
        w->out[axis] = entry(&attr->output_shape, i, w->in[axis] * w->stride[axis]);
        const int64_t total = full > w->out[axis] ? full - w->out[axis] : 0;
        w->pad_begin[axis] = pad == MFM_PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->pad_end[axis] = total - w->pad_begin[axis];
    } else {
        w->out[axis] = full - w->pad_begin[axis] - w->pad_end[axis];
    }
    const int64_t room = w->out[axis] + w->pad_begin[axis] + w->pad_end[axis] -
                         (w->kernel[axis] - 1) * w->dilation[axis] - 1;
    if (w->out[axis] < 1 || w->out[axis] > LONGEST || room < 0 ||
        room / w->stride[axis] + 1 != w->in[axis])
        return mfm_infer_fail(ctx, node,
                              "axis %d: a length of %lld: must be in [1, %d], and one from which "
                              "the convolution leads back to %lld",
                              i + 2, (long long)w->out[axis], LONGEST, (long long)w->in[axis]);
    return MFM_OK;
}

static int place(mfm_ctx *ctx, const mfm_node *node, mfm_window *w)
{
    const mfm_conv_attr *attr = node->attr;
    int status = mfm_window_resolve(ctx, node, &node->in[1]->shape.dim[2], w);
    if (!status)
        status = check_list(ctx, node, "output_padding", &attr->output_padding);
    if (!status)
        status = check_list(ctx, node, "output_shape", &attr->output_shape);
    for (int axis = status ? 0 : w->first; axis < MFM_WINDOW_AXES && !status; axis++)
        status = place_axis(ctx, node, w, axis, axis - w->first);
    return status;
}

/* From y to x. */
static mfm_conv_shape shape_of(const mfm_node *node, const mfm_window *w)
{
    return mfm_conv_shape_of(node, w, &node->out[0]->shape, w->out, &node->in[0]->shape, w->in);
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    mfm_window window;
    int status = check_channels(ctx, node);
    if (!status)
        status = place(ctx, node, &window);
    if (status)
        return status;
    const int64_t group = ((const mfm_conv_attr *)node->attr)->group;
    node->out[0]->shape = mfm_window_result(&window, node->in[0]->shape.dim[0],
                                            mfm_count_times(node->in[1]->shape.dim[1], group));
    const mfm_conv_shape shape = shape_of(node, &window);
    return mfm_conv_check_result(ctx, node, "result", &shape);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    mfm_window window;
    const int status = place(ctx, node, &window);
    if (status)
        return status;
    const mfm_conv_shape shape = shape_of(node, &window);
    return mfm_conv_setup(ctx, node, &shape, false);
}

static void product(const mfm_node *node, const real *x, const real *w, real *y, bool add)
{
    mfm_conv_backward_data(node->kernel, x, w, y, add, node->scratch);
}

static void adjoint_x(const mfm_node *node, const real *g, const real *w, real *gx, bool add)
{
    mfm_conv_forward(node->kernel, g, w, gx, add, node->scratch);
}

static void adjoint_w(const mfm_node *node, const real *g, const real *x, real *gw, bool add)
{
    mfm_conv_backward_weights(node->kernel, x, g, gw, add, node->scratch);
}

static int64_t macs(const mfm_node *node)
{
    const mfm_shape *w = &node->in[1]->shape;
    return mfm_count_times(mfm_shape_count(&node->in[0]->shape), mfm_shape_count(w) / w->dim[0]);
}

static const mfm_bilinear parts = {.product = product,
                                   .adjoint_a = adjoint_x,
                                   .adjoint_b = adjoint_w,
                                   .bias = mfm_conv_bias,
                                   .adjoint_bias = mfm_conv_adjoint_bias};

static const char *const samples[] = {
    "[2,3,3,4] [3,2,3,3] [2]",
    "[2,4,3,3] [4,3,2,2] [3] strides=2,2",
    "[1,2,4,3] [2,4,3,3] - strides=2,3 pads=1,0,1,2 output_padding=1,0",
    "[1,2,3,3] [2,2,3,3] [2] strides=2,2 output_shape=7,8",
    "[1,2,3,3] [2,2,3,3] - strides=2,2 auto_pad=SAME_UPPER",
    "[1,2,3,3] [2,2,2,4] - strides=2,2 auto_pad=SAME_LOWER",
    "[1,2,3,3] [2,2,2,2] - strides=3,3 auto_pad=SAME_UPPER",
    "[2,4,3,3] [4,3,2,2] [6] group=2 dilations=2,2 kernel_shape=2,2",
    "[1,1,2,2] [1,1,2,2] - auto_pad=VALID opset=1",
    "[2,3,4] [3,2,3] [2] strides=2",
    "[1,2,2,3,2] [2,2,2,2,3] [2] strides=2,1,1 pads=0,1,1,1,0,0",
    NULL};

const mfm_op mfm_op_conv_transpose = {
    .name = "ConvTranspose",
    .domain = "",
    .since = 1,
    .inputs = mfm_conv_inputs,
    .outputs = mfm_conv_outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_conv_attr),
    .shape = infer_shape,
    .macs = macs,
    .batch = MFM_BATCH_FIRST,
    .summary = "adjoint of a convolution, in groups, with optional bias",
    .samples = samples,
};

const mfm_impl mfm_cpu_conv_transpose = {
    .op = &mfm_op_conv_transpose,
    .backend = MFM_CPU,
    .setup = setup,
    .release = mfm_conv_release,
    .rule = &mfm_rule_bilinear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
