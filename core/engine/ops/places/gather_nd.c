/* GatherND (ONNX 11, 12, 13): the blocks of x at the coordinates that the last axis of the indices
 * lists. The first batch_dims axes, since 12, are common to both. */
#include "core/engine/ops/places/places.h"

typedef struct gather_nd_attr {
    int64_t batch_dims;
} gather_nd_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const gather_nd_attr *attr = node->attr;
    return mfm_places_lists_shape(ctx, node, attr->batch_dims, &node->out[0]->shape);
}

static mfm_places places_of(const mfm_node *node)
{
    const gather_nd_attr *attr = node->attr;
    return (mfm_places){
        .batch_dims = (int)attr->batch_dims,
        .indices = node->in[1],
        .data = node->in[0],
        .picked = node->out[0],
    };
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_places p = places_of(node);
    return mfm_places_check(ctx, node, &p);
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_gather_apply(node, lane, places_of);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    mfm_gather_adjoint(node, lane, places_of);
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_attr_def attrs[] = {
    {.name = "batch_dims", .type = MFM_INT, .offset = offsetof(gather_nd_attr, batch_dims)}, {0}};
static const mfm_port inputs[] = {
    {"data", MFM_DATA, false, false}, {"indices", MFM_INDEX, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[3,4,5] [2,2]<3",
                                      "[3,4] [2,5,2]<3",
                                      "[2,3,4,5] [6,1]<2",
                                      "[2,3,4,5] [3,4]<2",
                                      "[2,3,4] [2,1]<3 batch_dims=1",
                                      "[2,3,4,5] [2,3,2,1]<4 batch_dims=2",
                                      "[3,2,2,2,2] [2,3]<2 opset=11",
                                      NULL};

const mfm_op mfm_op_gather_nd = {
    .name = "GatherND",
    .domain = "",
    .since = 11,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(gather_nd_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_FREE,
    .summary = "blocks at constant coordinates",
    .samples = samples,
};

const mfm_impl mfm_cpu_gather_nd = {
    .op = &mfm_op_gather_nd,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
