#include "core/engine/ops/softmax/softmax_axis.h"

const mfm_attr_def mfm_softmax_attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(mfm_softmax_attr, axis), .fallback = -1},
    {0}};
const char *const mfm_softmax_samples[] = {"[4,7]",
                                           "[4,7] axis=0",
                                           "[2,5,3,4] axis=1",
                                           "[2,5,3,4]",
                                           "[2,5,3,4] axis=2",
                                           "[2,5,3,4] axis=0",
                                           "[2,3,4] axis=-2",
                                           "[5]",
                                           "[3,1]",
                                           NULL};

const mfm_attr_def mfm_softmax_attrs_1[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(mfm_softmax_attr, axis), .fallback = 1},
    {0}};
const char *const mfm_softmax_samples_1[] = {"[4,7] opset=9",
                                             "[2,5,3,2]",
                                             "[2,5,3,2] axis=2",
                                             "[2,5,3,2] axis=3",
                                             "[4,7] axis=0",
                                             "[2,3,4] axis=1 opset=1",
                                             "[2,3,4] axis=-1 opset=11",
                                             NULL};

enum { PARALLEL_FROM = 16384 };

bool mfm_softmax_is_large(const mfm_runs *v)
{
    return v->runs * v->length >= PARALLEL_FROM;
}

const mfm_port mfm_softmax_inputs[] = {{"input", MFM_DATA, false, false}, {0}};
const mfm_port mfm_softmax_outputs[] = {{"output", MFM_DATA, false, false}, {0}};

int mfm_softmax_infer(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_softmax_attr *attr = node->attr;
    int axis;
    int status = mfm_infer_axis(ctx, node, attr->axis, node->in[0]->shape.rank, &axis);
    return status ? status : mfm_infer_same(ctx, node);
}

mfm_runs mfm_softmax_runs(const mfm_node *node)
{
    const mfm_shape *shape = &node->in[0]->shape;
    const int64_t given = ((const mfm_softmax_attr *)node->attr)->axis;
    const int first = (int)(given < 0 ? given + shape->rank : given);
    const int last = node->opset < 13 ? shape->rank - 1 : first;
    int order[MFM_MAX_RANK];
    mfm_shape_order(shape, order);
    int64_t outer = 1, length = 1, inner = 1;
    for (int i = 0; i < shape->rank; i++) {
        const int axis = order[i];
        if (axis >= first && axis <= last) {
            length *= shape->dim[axis];
            outer *= inner; /* what came before the summed axes lies outside them */
            inner = 1;
        } else {
            inner *= shape->dim[axis];
        }
    }
    return (mfm_runs){.runs = outer * inner, .length = length, .inner = inner};
}

void mfm_softmax_vjp_t(const mfm_node *node,
                       void (*pull)(const mfm_node *node, const real *g, real *to, bool add),
                       void (*pull_tangent)(const mfm_node *node, const real *tangent,
                                            const real *g, real *to, bool add))
{
    real *to = mfm_in(node, 0, MFM_DG);
    if (!to)
        return;
    const real *g = mfm_out(node, 0, MFM_G), *dg = mfm_out(node, 0, MFM_DG);
    const real *dy = mfm_in(node, 0, MFM_DX) ? mfm_out(node, 0, MFM_DX) : NULL;
    bool add = mfm_accumulates(node, 0, MFM_DG);
    if (dg) {
        pull(node, dg, to, add);
        add = true;
    }
    if (g && dy) {
        pull_tangent(node, dy, g, to, add);
        add = true;
    }
    if (add)
        return;
    const int64_t count = mfm_shape_count(&node->in[0]->shape);
    for (int64_t i = 0; i < count; i++)
        to[i] = 0;
}
