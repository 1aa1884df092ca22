/*
 * Pad, opset 2 and later: adds elements before and behind along each axis; negative numbers take
 * elements away. Attributes pads and value before opset 11, inputs 1 and 2 from 11 on, input 3 (the
 * axes that pads is for) from 18 on. New elements are `value` (constant), the nearest one (edge),
 * the mirror image without the border itself (reflect; each axis is mirrored at most once), or,
 * from 19 on, those of the other end, as often as there is room for them (wrap).
 *
 * reflect, edge and wrap go axis by axis, within the result: the rows of axis a are filled from
 * other rows of axis a, over everything that earlier axes have filled. The adjoint walks back over
 * a copy of the result's adjoint in scratch, adding each row to the one it came from.
 */
#include <string.h>

#include "core/engine/kernels/strided.h"
#include "core/engine/ops/reduce/axes.h"
#include "core/engine/rules.h"

enum { CONSTANT, REFLECT, EDGE, WRAP };

typedef struct pad_attr {
    int mode;
    mfm_ints pads, axes;
    double value;
} pad_attr;

/* The part of the input that remains, and where it lies in the result. */
typedef struct core_part {
    mfm_shape shape;
    int64_t in_first[MFM_MAX_RANK], out_first[MFM_MAX_RANK];
} core_part;

static int64_t before(int64_t pad)
{
    return pad > 0 ? pad : 0;
}

static int64_t cropped(int64_t pad)
{
    return pad < 0 ? -pad : 0;
}

/* Lengths before and behind axis i, 0 for an axis that is not named. */
static void pads_of(const pad_attr *attr, int rank, int64_t begin[MFM_MAX_RANK],
                    int64_t end[MFM_MAX_RANK])
{
    const int count = attr->pads.count / 2;
    for (int i = 0; i < rank; i++)
        begin[i] = end[i] = 0;
    for (int i = 0; i < count; i++) {
        const int axis = mfm_axis_at(&attr->axes, i, rank);
        begin[axis] = attr->pads.v[i];
        end[axis] = attr->pads.v[count + i];
    }
}

static core_part core_of(const mfm_node *node)
{
    int64_t begin[MFM_MAX_RANK], end[MFM_MAX_RANK];
    core_part core = {.shape = node->in[0]->shape};
    pads_of(node->attr, core.shape.rank, begin, end);
    for (int i = 0; i < core.shape.rank; i++) {
        core.in_first[i] = cropped(begin[i]);
        core.out_first[i] = before(begin[i]);
        core.shape.dim[i] -= cropped(begin[i]) + cropped(end[i]);
    }
    return core;
}

/* Lengths that could overflow in a sum are refused with those that do not fit. */
static int check_axis(mfm_ctx *ctx, const mfm_node *node, int axis, int64_t begin, int64_t end)
{
    const pad_attr *attr = node->attr;
    const int64_t limit = INT64_MAX / 16, dim = node->in[0]->shape.dim[axis];
    const bool sane = begin > -limit && begin < limit && end > -limit && end < limit;
    const int64_t rest = sane ? dim - cropped(begin) - cropped(end) : -1;
    if (rest < 0)
        return mfm_infer_fail(ctx, node, "pads %lld and %lld: axis %d has length %lld",
                              (long long)begin, (long long)end, axis, (long long)dim);
    const int64_t longest = begin > end ? before(begin) : before(end);
    if (longest && ((attr->mode == REFLECT && longest >= rest) ||
                    ((attr->mode == EDGE || attr->mode == WRAP) && !rest)))
        return mfm_infer_fail(ctx, node, "pad of %lld: axis %d offers only %lld elements",
                              (long long)longest, axis, (long long)rest);
    return MFM_OK;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const pad_attr *attr = node->attr;
    mfm_shape y = node->in[0]->shape;
    const int named = attr->axes.count < 0 ? y.rank : attr->axes.count;
    if (attr->pads.count != 2 * named)
        return mfm_infer_fail(ctx, node, "pads: %d numbers: must be two for each of %d axes",
                              attr->pads.count, named);
    int status = mfm_infer_axes(ctx, node, &attr->axes, y.rank);
    int64_t begin[MFM_MAX_RANK], end[MFM_MAX_RANK];
    if (!status)
        pads_of(attr, y.rank, begin, end);
    for (int i = 0; i < y.rank && !status; i++) {
        status = check_axis(ctx, node, i, begin[i], end[i]);
        if (!status)
            y.dim[i] += begin[i] + end[i];
    }
    if (!status)
        status = mfm_shape_check(ctx, &y, node->name ? node->name : "Pad");
    if (status)
        return status;
    node->out[0]->shape = y;
    return MFM_OK;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    const pad_attr *attr = node->attr;
    node->scratch_size = attr->mode == CONSTANT ? 0 : (size_t)mfm_shape_count(&node->out[0]->shape);
    return MFM_OK;
}

/* Offset of the core in a stored tensor of `shape`, and the tensor's strides. */
static int64_t locate(const mfm_shape *shape, const int64_t *first, int64_t stride[MFM_MAX_RANK])
{
    int64_t offset = 0;
    mfm_shape_strides(shape, stride);
    for (int i = 0; i < shape->rank; i++)
        offset += first[i] * stride[i];
    return offset;
}

/* Row of the result that row `at` of an axis repeats; the core lies at first .. first + length - 1.
 */
static int64_t source_row(int mode, int64_t at, int64_t first, int64_t length)
{
    const int64_t last = first + length - 1;
    const int64_t border = at < first ? first : last;
    if (mode == WRAP)
        return at < first ? last - (last - at) % length : first + (at - first) % length;
    return mode == EDGE ? border : 2 * border - at;
}

/* Fills (or takes back) the rows of one axis around the core. Axes before it are walked in full,
 * those behind it along the core. */
static void pad_axis(const mfm_node *node, const core_part *core, int axis, real *y, bool backward)
{
    const int mode = ((const pad_attr *)node->attr)->mode;
    int64_t stride[MFM_MAX_RANK];
    mfm_shape rows = node->out[0]->shape;
    const int64_t length = rows.dim[axis];
    mfm_shape_strides(&rows, stride);
    rows.dim[axis] = 1;
    for (int i = axis + 1; i < rows.rank; i++) {
        rows.dim[i] = core->shape.dim[i];
        y += core->out_first[i] * stride[i];
    }
    const int64_t first = core->out_first[axis], size = core->shape.dim[axis];
    for (int64_t at = 0; at < length; at++) {
        if (at >= first && at < first + size)
            continue;
        real *row = y + at * stride[axis];
        real *source = y + source_row(mode, at, first, size) * stride[axis];
        if (backward)
            mfm_strided_copy(&rows, row, stride, 1, source, stride, true);
        else
            mfm_strided_copy(&rows, source, stride, 1, row, stride, false);
    }
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const pad_attr *attr = node->attr;
    const mfm_shape *shape = &node->out[0]->shape;
    const core_part core = core_of(node);
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    const int64_t from_at = locate(&node->in[0]->shape, core.in_first, x);
    const int64_t to_at = locate(shape, core.out_first, y);
    const real *from = mfm_in(node, 0, lane);
    real *to = mfm_out(node, 0, lane);
    if (attr->mode == CONSTANT)
        mfm_strided_fill(shape, lane == MFM_X ? (real)attr->value : 0, to, y);
    mfm_strided_copy(&core.shape, from ? from + from_at : NULL, x, 1, to + to_at, y, false);
    for (int i = 0; i < shape->rank && attr->mode != CONSTANT; i++)
        pad_axis(node, &core, i, to, false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const real *from = mfm_out(node, 0, lane);
    real *to = mfm_in(node, 0, lane);
    if (!to)
        return;
    const mfm_shape *shape = &node->out[0]->shape;
    const core_part core = core_of(node);
    if (from && node->scratch_size) {
        memcpy(node->scratch, from, node->scratch_size * sizeof *from);
        for (int i = shape->rank - 1; i >= 0; i--)
            pad_axis(node, &core, i, node->scratch, true);
        from = node->scratch;
    }
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    const int64_t to_at = locate(&node->in[0]->shape, core.in_first, x);
    const int64_t from_at = locate(shape, core.out_first, y);
    if (!mfm_accumulates(node, 0, lane))
        mfm_strided_fill(&node->in[0]->shape, 0, to, x);
    mfm_strided_copy(&core.shape, from ? from + from_at : NULL, y, 1, to + to_at, x, true);
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"data", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {{.name = "mode",
                                      .type = MFM_CHOICE,
                                      .offset = offsetof(pad_attr, mode),
                                      .choices = "constant|reflect|edge|wrap"},
                                     {.name = "pads",
                                      .type = MFM_INTS,
                                      .offset = offsetof(pad_attr, pads),
                                      .required = true,
                                      .from_input = 1,
                                      .since = 11},
                                     {.name = "value",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(pad_attr, value),
                                      .from_input = 2,
                                      .since = 11},
                                     {.name = "axes",
                                      .type = MFM_INTS,
                                      .offset = offsetof(pad_attr, axes),
                                      .from_input = 3,
                                      .since = 18},
                                     {0}};

static const char *const samples[] = {"[2,3,3,2] pads=0,0,1,2,0,0,2,1",
                                      "[2,3] pads=1,0,0,2 value=1.5",
                                      "[2,3,4,3] pads=0,0,-1,1,0,0,1,-1",
                                      "[1,2,4,3] pads=0,0,2,1,0,0,3,2 mode=reflect",
                                      "[2,2,3,2] pads=0,1,2,1,0,0,1,2 mode=edge",
                                      "[4,5] pads=-1,2,0,-1 mode=reflect",
                                      "[1,2,4,3] pads=0,0,2,1,0,0,3,2 mode=wrap",
                                      "[2,2,3,2] pads=0,1,7,1,0,0,1,4 mode=wrap",
                                      "[4,5] pads=-1,7,0,-2 mode=wrap",
                                      "[2,1,2,3] pads=1,2,0,1 axes=2,-1",
                                      "[3] pads=0,0",
                                      NULL};

const mfm_op mfm_op_pad = {
    .name = "Pad",
    .domain = "",
    .since = 2,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(pad_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "elements added before and behind along each axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_pad = {
    .op = &mfm_op_pad,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
