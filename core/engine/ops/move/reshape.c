/*
 * Reshape. The new shape is an attribute in opset 1 to 4 and input 1 from 5 on. -1, at most once,
 * takes what is left; 0 copies the input's length at that place, unless allowzero (opset 14) makes
 * it a length.
 */
#include "core/engine/ops/move/reshape_common.h"

typedef struct reshape_attr {
    mfm_ints shape;
    int64_t allowzero;
} reshape_attr;

/* The entries of the list as lengths, -1 left in place; its place goes to *open if there is one. */
static int read_shape(mfm_ctx *ctx, const mfm_node *node, mfm_shape *y, int *open)
{
    const reshape_attr *attr = node->attr;
    const mfm_shape *x = &node->in[0]->shape;
    if (attr->shape.count < 0 || attr->shape.count > MFM_MAX_RANK)
        return mfm_infer_fail(ctx, node, "shape: %d entries: must be 0 to %d", attr->shape.count,
                              MFM_MAX_RANK);
    *y = (mfm_shape){.rank = attr->shape.count};
    for (int i = 0; i < y->rank; i++) {
        const int64_t given = attr->shape.v[i];
        const bool copied = given == 0 && !attr->allowzero;
        if (given < -1 || (given == -1 && *open >= 0))
            return mfm_infer_fail(ctx, node,
                                  "shape: %lld at place %d: must not be negative, but for one -1",
                                  (long long)given, i);
        if (copied && i >= x->rank)
            return mfm_infer_fail(ctx, node, "shape: 0 at place %d: the input has %d axes", i,
                                  x->rank);
        if (given == -1)
            *open = i;
        y->dim[i] = copied ? x->dim[i] : given;
    }
    return MFM_OK;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape;
    mfm_shape y;
    int open = -1; /* place of the -1 */
    int status = read_shape(ctx, node, &y, &open);
    if (status)
        return status;
    const int64_t count = mfm_shape_count(x);
    if (open >= 0)
        y.dim[open] = 1;
    status = mfm_shape_check(ctx, &y, node->name ? node->name : "Reshape");
    if (status)
        return status;
    const int64_t known = mfm_shape_count(&y);
    if (open >= 0 && known > 0 && count % known == 0)
        y.dim[open] = count / known;
    if (mfm_shape_count(&y) != count || (open >= 0 && known == 0)) {
        char from[MFM_SHAPE_TEXT], to[MFM_SHAPE_TEXT];
        if (open >= 0)
            y.dim[open] = -1;
        return mfm_infer_fail(ctx, node, "%s to %s: the numbers of elements must agree",
                              mfm_shape_text(x, from), mfm_shape_text(&y, to));
    }
    node->out[0]->shape = y;
    return MFM_OK;
}

static const mfm_port inputs[] = {{"data", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"reshaped", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "shape",
     .type = MFM_INTS,
     .offset = offsetof(reshape_attr, shape),
     .required = true,
     .from_input = 1,
     .since = 5,
     .lengths = true},
    {.name = "allowzero", .type = MFM_INT, .offset = offsetof(reshape_attr, allowzero)},
    {0}};

static const char *const samples[] = {"[2,3,4,5] shape=0,-1",
                                      "[2,6,4,1] shape=2,4,6,1",
                                      "[2,3,4] shape=4,6",
                                      "[2,3,4,2] shape=2,-1,2,2,2",
                                      "[2,12] shape=0,3,2,2",
                                      "[3,4,1,1] shape=3,4",
                                      "[1,6,3,2] shape=1,2,3,6 allowzero=1",
                                      "[1] shape=1,1,1",
                                      NULL};

const mfm_op mfm_op_reshape = {
    .name = "Reshape",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(reshape_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_SAME_ORDER,
    .layout = MFM_LAYOUT_FREE,
    .summary = "the same elements in another shape",
    .samples = samples,
};

const mfm_impl mfm_cpu_reshape = {
    .op = &mfm_op_reshape,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_reshape,
    .is_view = mfm_reshape_is_view,
    .reads = MFM_READS_NONE,
};
