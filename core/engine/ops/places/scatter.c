/* Scatter (ONNX 9, 10): ScatterElements under its first name. */
#include "core/engine/ops/places/places.h"

typedef struct scatter_attr {
    int64_t axis;
} scatter_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const scatter_attr *attr = node->attr;
    mfm_shape picked;
    const int status = mfm_places_elements_shape(ctx, node, attr->axis, &picked);
    return status ? status : mfm_scatter_check(ctx, node, MFM_SCATTER_NONE, &picked);
}

static mfm_places places_of(const mfm_node *node)
{
    const scatter_attr *attr = node->attr;
    return (mfm_places){
        .elements = true,
        .axis = (int)(attr->axis < 0 ? attr->axis + node->in[0]->shape.rank : attr->axis),
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
    mfm_scatter_apply(node, lane, places_of, MFM_SCATTER_NONE);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    mfm_scatter_adjoint(node, lane, places_of, MFM_SCATTER_NONE);
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_attr_def attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(scatter_attr, axis)}, {0}};

static const char *const samples[] = {"[3,4] [2,4]<3 [2,4]", "[3,4] [3,2]<4 [3,2] axis=1", NULL};

const mfm_op mfm_op_scatter = {
    .name = "Scatter",
    .domain = "",
    .since = 9,
    .until = 10,
    .inputs = mfm_scatter_inputs,
    .outputs = mfm_scatter_outputs,
    .attrs = attrs,
    .attr_size = sizeof(scatter_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_FREE,
    .summary = "numbers written at constant places along an axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_scatter = {
    .op = &mfm_op_scatter,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
