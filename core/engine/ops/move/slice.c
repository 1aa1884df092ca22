/*
 * Slice: along each axis named, every step-th element from start up to and without end. Negative
 * starts and ends count from the back; both are clamped to the axis, so that a huge end means all
 * of it. Attributes before opset 10, inputs 1 to 4 from 10 on; steps, which may be negative, are
 * only known since then.
 */
#include "core/engine/kernels/strided.h"
#include "core/engine/ops/reduce/axes.h"
#include "core/engine/rules.h"

typedef struct slice_attr {
    mfm_ints starts, ends, axes, steps;
} slice_attr;

/* The result as a view of the input: its first element and the step, along every axis. */
typedef struct cut {
    mfm_shape shape;
    int64_t first[MFM_MAX_RANK], step[MFM_MAX_RANK];
} cut;

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Upwards both ends lie in [0, dim]; downwards start in [0, dim - 1] and end in [-1, dim - 1]. */
static void cut_axis(cut *c, int axis, int64_t start, int64_t end, int64_t step)
{
    const int64_t dim = c->shape.dim[axis];
    const bool up = step > 0;
    start = clamp(start < 0 ? start + dim : start, 0, up ? dim : dim - 1);
    end = clamp(end < 0 ? end + dim : end, up ? 0 : -1, up ? dim : dim - 1);
    const int64_t distance = up ? end - start : start - end;
    const int64_t stride = up ? step : step == INT64_MIN ? INT64_MAX : -step;
    const int64_t count = dim > 0 && distance > 0 ? 1 + (distance - 1) / stride : 0;
    c->shape.dim[axis] = count;
    c->first[axis] = count ? start : 0;
    c->step[axis] = count > 1 ? step : 1;
}

/* Attributes that infer has checked. */
static cut cut_of(const mfm_node *node)
{
    const slice_attr *attr = node->attr;
    cut c = {.shape = node->in[0]->shape};
    for (int i = 0; i < c.shape.rank; i++)
        c.step[i] = 1;
    for (int i = 0; i < attr->starts.count; i++)
        cut_axis(&c, mfm_axis_at(&attr->axes, i, c.shape.rank), attr->starts.v[i], attr->ends.v[i],
                 attr->steps.count < 0 ? 1 : attr->steps.v[i]);
    return c;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const slice_attr *attr = node->attr;
    const int count = attr->starts.count, rank = node->in[0]->shape.rank;
    if (count < 0 || count > rank || attr->ends.count != count ||
        (attr->axes.count >= 0 && attr->axes.count != count) ||
        (attr->steps.count >= 0 && attr->steps.count != count))
        return mfm_infer_fail(ctx, node,
                              "%d starts, %d ends, %d axes, %d steps: must be equally many, at "
                              "most %d",
                              count, attr->ends.count, attr->axes.count, attr->steps.count, rank);
    int status = mfm_infer_axes(ctx, node, &attr->axes, rank);
    if (status)
        return status;
    for (int i = 0; i < attr->steps.count; i++)
        if (attr->steps.v[i] == 0)
            return mfm_infer_fail(ctx, node, "step 0: must not be 0");
    node->out[0]->shape = cut_of(node).shape;
    return MFM_OK;
}

/* Strides of the view, and the offset of its first element. */
static int64_t view(const mfm_node *node, const cut *c, int64_t stride[MFM_MAX_RANK])
{
    int64_t offset = 0;
    mfm_shape_strides(&node->in[0]->shape, stride);
    for (int i = 0; i < c->shape.rank; i++) {
        offset += c->first[i] * stride[i];
        stride[i] *= c->step[i];
    }
    return offset;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const cut c = cut_of(node);
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    const int64_t offset = view(node, &c, x);
    mfm_shape_strides(&node->out[0]->shape, y);
    const real *from = mfm_in(node, 0, lane);
    mfm_strided_copy(&c.shape, from ? from + offset : NULL, x, 1, mfm_out(node, 0, lane), y, false);
}

/* What is cut away has no derivative. */
static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (!to)
        return;
    const cut c = cut_of(node);
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    if (!mfm_accumulates(node, 0, lane)) {
        mfm_shape_strides(&node->in[0]->shape, x);
        mfm_strided_fill(&node->in[0]->shape, 0, to, x);
    }
    const int64_t offset = view(node, &c, x);
    mfm_shape_strides(&node->out[0]->shape, y);
    mfm_strided_copy(&c.shape, mfm_out(node, 0, lane), y, 1, to + offset, x, true);
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"data", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {{.name = "starts",
                                      .type = MFM_INTS,
                                      .offset = offsetof(slice_attr, starts),
                                      .required = true,
                                      .from_input = 1,
                                      .since = 10},
                                     {.name = "ends",
                                      .type = MFM_INTS,
                                      .offset = offsetof(slice_attr, ends),
                                      .required = true,
                                      .from_input = 2,
                                      .since = 10},
                                     {.name = "axes",
                                      .type = MFM_INTS,
                                      .offset = offsetof(slice_attr, axes),
                                      .from_input = 3,
                                      .since = 10},
                                     {.name = "steps",
                                      .type = MFM_INTS,
                                      .offset = offsetof(slice_attr, steps),
                                      .from_input = 4,
                                      .since = 10},
                                     {0}};

static const char *const samples[] = {"[2,4,5,3] starts=1,0 ends=3,9223372036854775807 axes=1,2",
                                      "[3,4] starts=-2 ends=-1 axes=-1",
                                      "[2,3,4,4] starts=0,1 ends=4,4 axes=2,3 steps=2,2",
                                      "[2,6] starts=-1 ends=-9223372036854775808 axes=1 steps=-1",
                                      "[7,2] starts=5 ends=0 steps=-2",
                                      "[2,3,4] starts=0,-100,1 ends=2,100,3",
                                      "[3] starts=1 ends=2 steps=100",
                                      NULL};

const mfm_op mfm_op_slice = {
    .name = "Slice",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(slice_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "every n-th element of a range, along each axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_slice = {
    .op = &mfm_op_slice,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
