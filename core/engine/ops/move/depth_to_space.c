/* DepthToSpace (ONNX 1, 11, 13): channels as blocks of places. */
#include "core/engine/ops/move/blocks.h"

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const int64_t b = ((const mfm_blocks_attr *)node->attr)->blocksize;
    const int status = mfm_blocks_infer(ctx, node);
    mfm_shape y = node->in[0]->shape;
    if (status)
        return status;
    if (y.dim[1] % (b * b))
        return mfm_infer_fail(ctx, node, "blocksize %lld: its square must divide %lld channels",
                              (long long)b, (long long)y.dim[1]);
    y.dim[1] /= b * b;
    y.dim[2] = mfm_count_times(y.dim[2], b);
    y.dim[3] = mfm_count_times(y.dim[3], b);
    node->out[0]->shape = y;
    return mfm_shape_check(ctx, &y, node->name ? node->name : node->op->name);
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_blocks_copy(node->attr, &node->in[0]->shape, &node->out[0]->shape, true,
                    mfm_in(node, 0, lane), mfm_out(node, 0, lane), false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (to)
        mfm_blocks_copy(node->attr, &node->in[0]->shape, &node->out[0]->shape, false,
                        mfm_out(node, 0, lane), to, mfm_accumulates(node, 0, lane));
}

static const mfm_linear parts = {apply, adjoint};
static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {{.name = "blocksize",
                                      .type = MFM_INT,
                                      .offset = offsetof(mfm_blocks_attr, blocksize),
                                      .required = true},
                                     {.name = "mode",
                                      .type = MFM_CHOICE,
                                      .offset = offsetof(mfm_blocks_attr, mode),
                                      .choices = "DCR|CRD"},
                                     {0}};

static const char *const samples[] = {"[2,8,2,3] blocksize=2", "[2,8,2,3] blocksize=2 mode=CRD",
                                      "[1,9,1,2] blocksize=3 opset=1", "[1,2,3,2] blocksize=1",
                                      NULL};

const mfm_op mfm_op_depth_to_space = {
    .name = "DepthToSpace",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_blocks_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_OTHER_ORDER,
    .batch = MFM_BATCH_FIRST,
    .layout = MFM_LAYOUT_FREE,
    .summary = "channels as blocks of places, on images that are as many times as large",
    .samples = samples,
};

const mfm_impl mfm_cpu_depth_to_space = {
    .op = &mfm_op_depth_to_space,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
