/* ScatterND (ONNX 11, 13, 16, 18): the data, with blocks of updates written, added, or taken where
 * they are larger or smaller, at the coordinates that the last axis of the indices lists. Of
 * several at one place the last is taken, where the standard leaves it open. */
#include "core/engine/ops/places/places.h"

typedef struct scatter_nd_attr {
    int reduction;
} scatter_nd_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const scatter_nd_attr *attr = node->attr;
    mfm_shape picked;
    const int status = mfm_places_lists_shape(ctx, node, 0, &picked);
    return status ? status : mfm_scatter_check(ctx, node, attr->reduction, &picked);
}

static mfm_places places_of(const mfm_node *node)
{
    return (mfm_places){
        .batch_dims = 0,
        .indices = node->in[1],
        .data = node->out[0],
        .picked = node->in[2],
    };
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    return mfm_scatter_setup(ctx, node, places_of);
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_scatter_apply(node, lane, places_of, ((const scatter_nd_attr *)node->attr)->reduction);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    mfm_scatter_adjoint(node, lane, places_of, ((const scatter_nd_attr *)node->attr)->reduction);
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_attr_def attrs[] = {{.name = "reduction",
                                      .type = MFM_CHOICE,
                                      .offset = offsetof(scatter_nd_attr, reduction),
                                      .choices = MFM_SCATTER_REDUCTIONS},
                                     {0}};

static const char *const samples[] = {"[3,4,5] [2,2]<3 [2,5] opset=11",
                                      "[3,4] [2,5,2]<3 [2,5]",
                                      "[3,4] [7,1]<3 [7,4]",
                                      "[3,4] [7,1]<3 [7,4] reduction=add",
                                      "[2,3,4,5] [3,3]<2 [3,5]",
                                      "[2,3,4,5] [3,4]<2 [3] reduction=add",
                                      "[2,3,4,5] [4,1]<2 [4,3,4,5] reduction=add",
                                      "[3,4] [7,1]<3 [7,4] reduction=max opset=18",
                                      "[2,3,4,5] [9,3]<2 [9,5] reduction=min opset=18",
                                      NULL};

const mfm_op mfm_op_scatter_nd = {
    .name = "ScatterND",
    .domain = "",
    .since = 11,
    .inputs = mfm_scatter_inputs,
    .outputs = mfm_scatter_outputs,
    .attrs = attrs,
    .attr_size = sizeof(scatter_nd_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_FREE,
    .summary = "blocks written, added or compared at constant coordinates",
    .samples = samples,
};

const mfm_impl mfm_cpu_scatter_nd = {
    .op = &mfm_op_scatter_nd,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
