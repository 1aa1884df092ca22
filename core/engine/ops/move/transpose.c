/* Transpose: axis i of the result is axis perm[i] of the input; without perm the axes are reversed.
 */
#include "core/engine/kernels/strided.h"
#include "core/engine/ops/reduce/axes.h"
#include "core/engine/rules.h"

typedef struct transpose_attr {
    mfm_ints perm;
} transpose_attr;

static int source_axis(const mfm_node *node, int i)
{
    const mfm_ints *perm = &((const transpose_attr *)node->attr)->perm;
    return perm->count < 0 ? node->in[0]->shape.rank - 1 - i : (int)perm->v[i];
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_ints *perm = &((const transpose_attr *)node->attr)->perm;
    const mfm_shape *x = &node->in[0]->shape;
    if (perm->count >= 0 && perm->count != x->rank)
        return mfm_infer_fail(ctx, node, "perm: %d entries: the input has %d axes", perm->count,
                              x->rank);
    for (int i = 0; i < perm->count; i++)
        if (perm->v[i] < 0)
            return mfm_infer_fail(ctx, node, "perm: %lld: must not be negative",
                                  (long long)perm->v[i]);
    int status = mfm_infer_axes(ctx, node, perm, x->rank);
    if (status)
        return status;
    mfm_shape y = {.rank = x->rank};
    for (int i = 0; i < y.rank; i++)
        y.dim[i] = x->dim[source_axis(node, i)];
    node->out[0]->shape = y;
    return MFM_OK;
}

/* Strides of the input and of the result along the result's axes. */
static void strides(const mfm_node *node, int64_t x[MFM_MAX_RANK], int64_t y[MFM_MAX_RANK])
{
    int64_t own[MFM_MAX_RANK];
    mfm_shape_strides(&node->in[0]->shape, own);
    mfm_shape_strides(&node->out[0]->shape, y);
    for (int i = 0; i < node->out[0]->shape.rank; i++)
        x[i] = own[source_axis(node, i)];
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    strides(node, x, y);
    mfm_strided_copy(&node->out[0]->shape, mfm_in(node, 0, lane), x, 1, mfm_out(node, 0, lane), y,
                     false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (!to)
        return;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    strides(node, x, y);
    mfm_strided_copy(&node->out[0]->shape, mfm_out(node, 0, lane), y, 1, to, x,
                     mfm_accumulates(node, 0, lane));
}

/* Axes change places in the shape alone: images of channels-last, as a matrix of their pixels. */
static bool is_view(const mfm_node *node)
{
    const mfm_shape *shape = &node->out[0]->shape;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    strides(node, x, y);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] != 1 && x[i] != y[i])
            return false;
    return true;
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"data", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"transposed", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "perm", .type = MFM_INTS, .offset = offsetof(transpose_attr, perm)}, {0}};

static const char *const samples[] = {"[2,3]",
                                      "[2,3,4,5] perm=0,3,1,2",
                                      "[2,3,4,5] perm=0,2,3,1",
                                      "[2,3,4,5]",
                                      "[2,3,4,2,1] perm=0,2,1,4,3",
                                      "[3] perm=0",
                                      "[]",
                                      NULL};

const mfm_op mfm_op_transpose = {
    .name = "Transpose",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(transpose_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_OTHER_ORDER,
    .layout = MFM_LAYOUT_FREE,
    .summary = "axes in another order",
    .samples = samples,
};

const mfm_impl mfm_cpu_transpose = {
    .op = &mfm_op_transpose,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .is_view = is_view,
    .reads = MFM_READS_NONE,
};
