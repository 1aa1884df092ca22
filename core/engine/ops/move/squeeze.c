/* Squeeze: leaves out axes of length 1, all of them when none are named. axes is an attribute
 * before opset 13 and input 1 from 13 on. */
#include "core/engine/ops/reduce/axes.h"
#include "core/engine/ops/move/reshape_common.h"

typedef struct squeeze_attr {
    mfm_ints axes;
} squeeze_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const squeeze_attr *attr = node->attr;
    const mfm_shape *x = &node->in[0]->shape;
    int status = mfm_infer_axes(ctx, node, &attr->axes, x->rank);
    if (status)
        return status;
    bool named[MFM_MAX_RANK];
    mfm_axes_mark(&attr->axes, x->rank, named);
    mfm_shape y = {0};
    for (int i = 0; i < x->rank; i++) {
        if (named[i] && x->dim[i] != 1)
            return mfm_infer_fail(ctx, node, "axis %d has length %lld: only 1 can be squeezed", i,
                                  (long long)x->dim[i]);
        if (attr->axes.count < 0 ? x->dim[i] != 1 : !named[i])
            y.dim[y.rank++] = x->dim[i];
    }
    node->out[0]->shape = y;
    return MFM_OK;
}

static const mfm_port inputs[] = {{"data", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"squeezed", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {{.name = "axes",
                                      .type = MFM_INTS,
                                      .offset = offsetof(squeeze_attr, axes),
                                      .from_input = 1,
                                      .since = 13},
                                     {0}};

static const char *const samples[] = {"[2,3,1,1] axes=2,3", "[2,3,1,4] axes=-2",
                                      "[1,3,4,1,2] axes=0", "[1,3,1,2]",
                                      "[1] axes=0",         NULL};

const mfm_op mfm_op_squeeze = {
    .name = "Squeeze",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(squeeze_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_SAME_ORDER,
    .layout = MFM_LAYOUT_FREE,
    .summary = "the same elements without axes of length 1",
    .samples = samples,
};

const mfm_impl mfm_cpu_squeeze = {
    .op = &mfm_op_squeeze,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_reshape,
    .is_view = mfm_reshape_is_view,
    .reads = MFM_READS_NONE,
};
