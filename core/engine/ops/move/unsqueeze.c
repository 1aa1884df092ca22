/* Unsqueeze: puts in axes of length 1; the list counts in the result's axes. axes is an attribute
 * before opset 13 and input 1 from 13 on. */
#include "core/engine/ops/reduce/axes.h"
#include "core/engine/ops/move/reshape_common.h"

typedef struct unsqueeze_attr {
    mfm_ints axes;
} unsqueeze_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const unsqueeze_attr *attr = node->attr;
    const mfm_shape *x = &node->in[0]->shape;
    if (attr->axes.count < 0 || x->rank + attr->axes.count > MFM_MAX_RANK)
        return mfm_infer_fail(ctx, node, "%d axes more than %d: must be given, at most %d in all",
                              attr->axes.count, x->rank, MFM_MAX_RANK);
    mfm_shape y = {.rank = x->rank + attr->axes.count};
    int status = mfm_infer_axes(ctx, node, &attr->axes, y.rank);
    if (status)
        return status;
    bool inserted[MFM_MAX_RANK];
    mfm_axes_mark(&attr->axes, y.rank, inserted);
    for (int i = 0, from = 0; i < y.rank; i++)
        y.dim[i] = inserted[i] ? 1 : x->dim[from++];
    node->out[0]->shape = y;
    return MFM_OK;
}

static const mfm_port inputs[] = {{"data", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"expanded", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {{.name = "axes",
                                      .type = MFM_INTS,
                                      .offset = offsetof(unsqueeze_attr, axes),
                                      .required = true,
                                      .from_input = 1,
                                      .since = 13},
                                     {0}};

static const char *const samples[] = {"[2,3] axes=2,3",       "[2,3,4] axes=2", "[2,3,4,2] axes=0",
                                      "[2,3,4,2] axes=-1,-2", "[] axes=0",      NULL};

const mfm_op mfm_op_unsqueeze = {
    .name = "Unsqueeze",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(unsqueeze_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_SAME_ORDER,
    .layout = MFM_LAYOUT_FREE,
    .summary = "the same elements with more axes of length 1",
    .samples = samples,
};

const mfm_impl mfm_cpu_unsqueeze = {
    .op = &mfm_op_unsqueeze,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_reshape,
    .is_view = mfm_reshape_is_view,
    .reads = MFM_READS_NONE,
};
