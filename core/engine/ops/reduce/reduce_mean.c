/*
 * ReduceMean: the mean over `axes`, over all of them when none are named (unless
 * noop_with_empty_axes, opset 18, says that this means none). The axes remain with length 1 when
 * keepdims. axes is an attribute up to opset 17 and input 1 from 18 on.
 */
#include "core/engine/kernels/reduce.h"
#include "core/engine/kernels/strided.h"
#include "core/engine/ops/reduce/axes.h"
#include "core/engine/rules.h"

typedef struct reduce_mean_attr {
    mfm_ints axes;
    int64_t keepdims, noop_with_empty_axes;
} reduce_mean_attr;

static void mark(const mfm_node *node, bool reduced[MFM_MAX_RANK])
{
    const reduce_mean_attr *attr = node->attr;
    const int rank = node->in[0]->shape.rank;
    mfm_axes_mark(&attr->axes, rank, reduced);
    for (int i = 0; i < rank && attr->axes.count <= 0; i++)
        reduced[i] = !attr->noop_with_empty_axes;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const reduce_mean_attr *attr = node->attr;
    const mfm_shape *x = &node->in[0]->shape;
    int status = mfm_infer_axes(ctx, node, &attr->axes, x->rank);
    if (status)
        return status;
    bool reduced[MFM_MAX_RANK];
    mark(node, reduced);
    mfm_shape y = {0};
    for (int i = 0; i < x->rank; i++) {
        if (reduced[i] && x->dim[i] == 0)
            return mfm_infer_fail(ctx, node, "axis %d has length 0: there is no mean", i);
        if (!reduced[i])
            y.dim[y.rank++] = x->dim[i];
        else if (attr->keepdims)
            y.dim[y.rank++] = 1;
    }
    node->out[0]->shape = y;
    return MFM_OK;
}

/* Strides of input and result along the input's axes, 0 for the result's where it is a mean.
 * Returns 1 / (elements of one mean). */
static real layout(const mfm_node *node, int64_t x[MFM_MAX_RANK], int64_t y[MFM_MAX_RANK])
{
    const mfm_shape *shape = &node->in[0]->shape;
    const bool keepdims = ((const reduce_mean_attr *)node->attr)->keepdims;
    bool reduced[MFM_MAX_RANK];
    int64_t own[MFM_MAX_RANK], count = 1;
    mark(node, reduced);
    mfm_shape_strides(shape, x);
    mfm_shape_strides(&node->out[0]->shape, own);
    for (int i = 0, at = 0; i < shape->rank; i++) {
        y[i] = reduced[i] ? 0 : own[at];
        at += !reduced[i] || keepdims;
        count *= reduced[i] ? shape->dim[i] : 1;
    }
    return (real)1 / (real)count;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    const real scale = layout(node, x, y);
    mfm_reduce(&node->in[0]->shape, mfm_in(node, 0, lane), x, NULL, NULL, scale,
               mfm_out(node, 0, lane), y, false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (!to)
        return;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    const real scale = layout(node, x, y);
    mfm_strided_copy(&node->in[0]->shape, mfm_out(node, 0, lane), y, scale, to, x,
                     mfm_accumulates(node, 0, lane));
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"data", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"reduced", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {{.name = "axes",
                                      .type = MFM_INTS,
                                      .offset = offsetof(reduce_mean_attr, axes),
                                      .from_input = 1,
                                      .since = 18},
                                     {.name = "keepdims",
                                      .type = MFM_INT,
                                      .offset = offsetof(reduce_mean_attr, keepdims),
                                      .fallback = 1},
                                     {.name = "noop_with_empty_axes",
                                      .type = MFM_INT,
                                      .offset = offsetof(reduce_mean_attr, noop_with_empty_axes)},
                                     {0}};

static const char *const samples[] = {"[2,3,4,5] axes=2,3",
                                      "[2,3,4,5] axes=2,3 keepdims=0",
                                      "[2,3,4,5] axes=1 keepdims=0",
                                      "[2,3,4,5] axes=-2 keepdims=0",
                                      "[2,3,4]",
                                      "[2,3,4] keepdims=0",
                                      "[2,3] noop_with_empty_axes=1",
                                      "[2,3,2,2,2] axes=0,2",
                                      "[2,1,1,1] axes=2,3",
                                      NULL};

const mfm_op mfm_op_reduce_mean = {
    .name = "ReduceMean",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(reduce_mean_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "mean over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_mean = {
    .op = &mfm_op_reduce_mean,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
