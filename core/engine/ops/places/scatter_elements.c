/* ScatterElements (ONNX 11, 13, 16, 18): the data, with updates written, added, or taken where
 * they are larger or smaller, at places along an axis: y[i, index[i, j, ..], ..] = u[i, j, ..]. Of
 * several at one place the last is taken, where the standard leaves it open. */
#include "core/engine/ops/places/places.h"

typedef struct scatter_elements_attr {
    int64_t axis;
    int reduction;
} scatter_elements_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const scatter_elements_attr *attr = node->attr;
    mfm_shape picked;
    const int status = mfm_places_elements_shape(ctx, node, attr->axis, &picked);
    return status ? status : mfm_scatter_check(ctx, node, attr->reduction, &picked);
}

static mfm_places places_of(const mfm_node *node)
{
    const scatter_elements_attr *attr = node->attr;
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
    mfm_scatter_apply(node, lane, places_of,
                      ((const scatter_elements_attr *)node->attr)->reduction);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    mfm_scatter_adjoint(node, lane, places_of,
                        ((const scatter_elements_attr *)node->attr)->reduction);
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_attr_def attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(scatter_elements_attr, axis)},
    {.name = "reduction",
     .type = MFM_CHOICE,
     .offset = offsetof(scatter_elements_attr, reduction),
     .choices = MFM_SCATTER_REDUCTIONS},
    {0}};

static const char *const samples[] = {"[3,4] [2,4]<3 [2,4] opset=11",
                                      "[3,4] [3,2]<4 [3,2] axis=1",
                                      "[3,4] [3,9]<4 [3,9] axis=1",
                                      "[3,4] [3,9]<4 [3,9] axis=1 reduction=add",
                                      "[2,3,4,5] [2,2,4,5]<3 [2,2,4,5] axis=-3",
                                      "[2,3,4,5] [2,3,2,7]<5 [2,3,2,7] axis=3 reduction=add",
                                      "[4] [6]<4 [6] reduction=add",
                                      "[3,4] [3,9]<4 [3,9] axis=1 reduction=max opset=18",
                                      "[2,3,4,5] [2,3,2,7]<5 [2,3,2,7] axis=3 reduction=min "
                                      "opset=18",
                                      NULL};

const mfm_op mfm_op_scatter_elements = {
    .name = "ScatterElements",
    .domain = "",
    .since = 11,
    .inputs = mfm_scatter_inputs,
    .outputs = mfm_scatter_outputs,
    .attrs = attrs,
    .attr_size = sizeof(scatter_elements_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_FREE,
    .summary = "numbers written, added or compared at constant places along an axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_scatter_elements = {
    .op = &mfm_op_scatter_elements,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
