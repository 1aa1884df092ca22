/* Flatten: [d0 .. dn-1] becomes [d0 * .. * d(axis-1), d(axis) * .. * dn-1]. Negative axes from
 * opset 11 on. */
#include "core/engine/ops/move/reshape_common.h"

typedef struct flatten_attr {
    int64_t axis;
} flatten_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape;
    const int64_t given = ((const flatten_attr *)node->attr)->axis;
    const int64_t lowest = node->opset < 11 ? 0 : -x->rank;
    if (given < lowest || given > x->rank)
        return mfm_infer_fail(ctx, node, "axis %lld: must be in [%lld, %d]", (long long)given,
                              (long long)lowest, x->rank);
    const int64_t axis = given < 0 ? given + x->rank : given;
    mfm_shape y = {.rank = 2, .dim = {1, 1}};
    for (int i = 0; i < x->rank; i++)
        y.dim[i >= axis] *= x->dim[i];
    node->out[0]->shape = y;
    return MFM_OK;
}

static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(flatten_attr, axis), .fallback = 1}, {0}};

static const char *const samples[] = {"[2,3,4,5]",        "[3,4,1,1]",       "[2,3,4,5] axis=0",
                                      "[2,3,4,5] axis=2", "[2,3,4] axis=-1", "[2,3] axis=2",
                                      "[4] axis=0",       "[] axis=0",       NULL};

const mfm_op mfm_op_flatten = {
    .name = "Flatten",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(flatten_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_SAME_ORDER,
    .layout = MFM_LAYOUT_FREE,
    .summary = "a matrix of all elements",
    .samples = samples,
};

const mfm_impl mfm_cpu_flatten = {
    .op = &mfm_op_flatten,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_reshape,
    .is_view = mfm_reshape_is_view,
    .reads = MFM_READS_NONE,
};
