/* Concat, opset 4 and later: the inputs one behind the other along `axis`. Negative axes from opset
 * 11 on. */
#include "core/engine/kernels/strided.h"
#include "core/engine/rules.h"

typedef struct concat_attr {
    int64_t axis;
} concat_attr;

static int axis_of(const mfm_node *node)
{
    const int64_t axis = ((const concat_attr *)node->attr)->axis;
    return (int)(axis < 0 ? axis + node->in[0]->shape.rank : axis);
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    mfm_shape y = node->in[0]->shape;
    int axis;
    int status = mfm_infer_axis(ctx, node, ((const concat_attr *)node->attr)->axis, y.rank, &axis);
    if (status)
        return status;
    for (int i = 1; i < node->n_in; i++) {
        mfm_shape rest = node->in[i]->shape;
        const int64_t length = rest.rank == y.rank ? rest.dim[axis] : 0;
        if (rest.rank == y.rank)
            rest.dim[axis] = y.dim[axis];
        if (!mfm_shape_equal(&rest, &y) ||
            __builtin_add_overflow(y.dim[axis], length, &y.dim[axis])) {
            char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
            return mfm_infer_fail(ctx, node, "input %d is %s after %s: only axis %d may differ", i,
                                  mfm_shape_text(&node->in[i]->shape, a),
                                  mfm_shape_text(&node->in[0]->shape, b), axis);
        }
    }
    node->out[0]->shape = y;
    return MFM_OK;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const int axis = axis_of(node);
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_shape_strides(&node->out[0]->shape, y);
    real *to = mfm_out(node, 0, lane);
    for (int i = 0; i < node->n_in; i++) {
        const mfm_shape *shape = &node->in[i]->shape;
        mfm_shape_strides(shape, x);
        mfm_strided_copy(shape, mfm_in(node, i, lane), x, 1, to, y, false);
        to += shape->dim[axis] * y[axis];
    }
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const int axis = axis_of(node);
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_shape_strides(&node->out[0]->shape, y);
    const real *from = mfm_out(node, 0, lane);
    int64_t offset = 0;
    for (int i = 0; i < node->n_in; i++) {
        const mfm_shape *shape = &node->in[i]->shape;
        real *to = mfm_in(node, i, lane);
        mfm_shape_strides(shape, x);
        if (to)
            mfm_strided_copy(shape, from ? from + offset : NULL, y, 1, to, x,
                             mfm_accumulates(node, i, lane));
        offset += shape->dim[axis] * y[axis];
    }
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"inputs", MFM_DATA, false, true}, {0}};
static const mfm_port outputs[] = {{"concat_result", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(concat_attr, axis), .required = true},
    {0}};

static const char *const samples[] = {"[2,3,2,2] [2,1,2,2] [2,4,2,2] axis=1",
                                      "[2,3] [1,3] axis=0",
                                      "[2,3,2,2] [2,3,2,1] axis=-1",
                                      "[2,3,1,2] [2,3,3,2] axis=2",
                                      "[4] [2] axis=0",
                                      "[2,2] axis=1",
                                      "[2,3,4] [2,3,4] axis=1",
                                      NULL};

const mfm_op mfm_op_concat = {
    .name = "Concat",
    .domain = "",
    .since = 4,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(concat_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_JOINS | MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "tensors one behind the other along an axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_concat = {
    .op = &mfm_op_concat,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
