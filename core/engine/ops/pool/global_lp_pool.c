/* GlobalLpPool (ONNX 2, 22): the p-norm of each channel, which is LpPool with a window as large as
 * the image. */
#include "core/engine/ops/pool/global_pool.h"
#include "core/engine/ops/pool/lp_pool.h"

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *x = &node->in[0]->shape;
    const int status = mfm_lp_pool_check(ctx, node);
    if (!status && x->rank > 2 + MFM_WINDOW_AXES)
        return mfm_infer_fail(ctx, node, "input %s: must have at most %d axes",
                              mfm_shape_text(x, text), 2 + MFM_WINDOW_AXES);
    return status ? status : mfm_infer_global_pool(ctx, node);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape;
    mfm_window *w = node->kernel = mfm_alloc(ctx, 1, sizeof *w);
    if (!w)
        return MFM_ENOMEM;
    w->first = MFM_WINDOW_AXES - (x->rank - 2);
    for (int axis = 0; axis < MFM_WINDOW_AXES; axis++) {
        w->in[axis] = axis < w->first ? 1 : x->dim[2 + axis - w->first];
        w->kernel[axis] = w->in[axis];
        w->out[axis] = w->stride[axis] = w->dilation[axis] = 1;
    }
    return mfm_lp_pool_sizes(node);
}

static const mfm_attr_def attrs[] = {
    {.name = "p", .type = MFM_INT, .offset = offsetof(mfm_lp_pool_attr, p), .fallback = 2}, {0}};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,4,5]", "[2,3,4,5] p=3",   "[1,2,3,3] p=1",
                                      "[2,3,7]",   "[2,3,2,2,3] p=4", NULL};

const mfm_op mfm_op_global_lp_pool = {
    .name = "GlobalLpPool",
    .domain = "",
    .since = 2,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_lp_pool_attr),
    .shape = infer_shape,
    .batch = MFM_BATCH_FIRST,
    .summary = "p-norm of each channel",
    .samples = samples,
};

const mfm_impl mfm_cpu_global_lp_pool = {
    .op = &mfm_op_global_lp_pool,
    .backend = MFM_CPU,
    .setup = setup,
    .release = mfm_window_release,
    .rule = &mfm_rule_lp_pool,
    .reads = MFM_READS_IN,
};
