/* GatherElements (ONNX 11, 13): y[i, j, ..] = x[i, index[i, j, ..], ..] along an axis. */
#include "core/engine/ops/places/places.h"

typedef struct gather_elements_attr {
    int64_t axis;
} gather_elements_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const gather_elements_attr *attr = node->attr;
    return mfm_places_elements_shape(ctx, node, attr->axis, &node->out[0]->shape);
}

static mfm_places places_of(const mfm_node *node)
{
    const gather_elements_attr *attr = node->attr;
    return (mfm_places){
        .elements = true,
        .axis = (int)(attr->axis < 0 ? attr->axis + node->in[0]->shape.rank : attr->axis),
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
    {.name = "axis", .type = MFM_INT, .offset = offsetof(gather_elements_attr, axis)}, {0}};
static const mfm_port inputs[] = {
    {"data", MFM_DATA, false, false}, {"indices", MFM_INDEX, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[3,4] [3,2]<4 axis=1",
                                      "[3,4] [5,4]<3",
                                      "[2,3,4,5] [2,2,4,5]<3 axis=1",
                                      "[2,3,4,5] [1,3,2,7]<5 axis=-1",
                                      "[4] [6]<4",
                                      "[2,2,2,3,2] [2,1,2,4,2]<3 axis=3",
                                      NULL};

const mfm_op mfm_op_gather_elements = {
    .name = "GatherElements",
    .domain = "",
    .since = 11,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(gather_elements_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_FREE,
    .summary = "numbers at constant places along an axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_gather_elements = {
    .op = &mfm_op_gather_elements,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
