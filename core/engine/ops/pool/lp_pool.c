/* LpPool (ONNX 2, 11, 18, 22) over images, lines and volumes: the p-norm of each window. */
#include "core/engine/ops/pool/lp_pool.h"

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const int status = mfm_lp_pool_check(ctx, node);
    return status ? status : mfm_window_infer_pool(ctx, node);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    const int status = mfm_window_setup(ctx, node);
    return status ? status : mfm_lp_pool_sizes(node);
}

static const mfm_attr_def attrs[] = {
    MFM_WINDOW_ATTRS,
    {.name = "kernel_shape",
     .type = MFM_INTS,
     .offset = offsetof(mfm_window_attr, kernel_shape),
     .required = true},
    {.name = "ceil_mode", .type = MFM_INT, .offset = offsetof(mfm_window_attr, ceil_mode)},
    {.name = "p", .type = MFM_INT, .offset = offsetof(mfm_lp_pool_attr, p), .fallback = 2},
    {0}};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {
    "[2,3,4,6] kernel_shape=2,2 strides=2,2",
    "[2,2,5,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1 p=3",
    "[1,2,5,4] kernel_shape=3,2 p=1",
    "[1,2,5,5] kernel_shape=2,2 strides=2,2 ceil_mode=1 dilations=2,1 p=4",
    "[2,1,5,5] kernel_shape=3,3 strides=2,2 auto_pad=SAME_UPPER opset=11",
    "[2,3,7] kernel_shape=3 strides=2",
    "[1,2,3,3,4] kernel_shape=2,2,3 opset=2",
    NULL};

const mfm_op mfm_op_lp_pool = {
    .name = "LpPool",
    .domain = "",
    .since = 2,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_lp_pool_attr),
    .shape = infer_shape,
    .batch = MFM_BATCH_FIRST,
    .summary = "p-norm of each window of an image",
    .samples = samples,
};

const mfm_impl mfm_cpu_lp_pool = {
    .op = &mfm_op_lp_pool,
    .backend = MFM_CPU,
    .setup = setup,
    .release = mfm_window_release,
    .rule = &mfm_rule_lp_pool,
    .reads = MFM_READS_IN,
};
