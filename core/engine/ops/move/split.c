/*
 * Split, opset 2 and later: the input cut along `axis` into as many pieces as there are outputs.
 * The lengths are attribute `split` before opset 13 and input 1 from 13 on. Without them the pieces
 * are equal; from 18 on num_outputs says so, and the last may be shorter.
 */
#include "core/engine/kernels/strided.h"
#include "core/engine/rules.h"

enum { NUM_OUTPUTS_SINCE = 18 };

typedef struct split_attr {
    int64_t axis, num_outputs;
    mfm_ints split;
} split_attr;

static int axis_of(const mfm_node *node)
{
    const int64_t axis = ((const split_attr *)node->attr)->axis;
    return (int)(axis < 0 ? axis + node->in[0]->shape.rank : axis);
}

/* Length of piece i when none are given; the last may come out at 0 or below. */
static int64_t even_length(const mfm_node *node, int64_t length, int i)
{
    const int64_t chunk = (length + node->n_out - 1) / node->n_out;
    return i < node->n_out - 1 ? chunk : length - chunk * (node->n_out - 1);
}

/* Which of `split` and num_outputs must and may be given. */
static int check_form(mfm_ctx *ctx, const mfm_node *node)
{
    const split_attr *attr = node->attr;
    const bool lengths = attr->split.count >= 0, number = attr->num_outputs != 0;
    if (number && node->opset < NUM_OUTPUTS_SINCE)
        return mfm_infer_fail(ctx, node, "num_outputs: opset %d does not have it: it came with %d",
                              node->opset, NUM_OUTPUTS_SINCE);
    if (node->opset >= NUM_OUTPUTS_SINCE && lengths == number)
        return mfm_infer_fail(ctx, node, "%s of split and num_outputs given: one must be",
                              lengths ? "both" : "neither");
    if (number && attr->num_outputs != node->n_out)
        return mfm_infer_fail(ctx, node, "num_outputs %lld: the node has %d outputs",
                              (long long)attr->num_outputs, node->n_out);
    if (lengths && attr->split.count != node->n_out)
        return mfm_infer_fail(ctx, node, "split: %d lengths: the node has %d outputs",
                              attr->split.count, node->n_out);
    return MFM_OK;
}

static int check_even(mfm_ctx *ctx, const mfm_node *node, int64_t length)
{
    if (((const split_attr *)node->attr)->split.count >= 0)
        return MFM_OK;
    if (node->opset < NUM_OUTPUTS_SINCE && length % node->n_out != 0)
        return mfm_infer_fail(ctx, node,
                              "length %lld in %d pieces: must be cut evenly before "
                              "opset %d",
                              (long long)length, node->n_out, NUM_OUTPUTS_SINCE);
    if (even_length(node, length, node->n_out - 1) < 1)
        return mfm_infer_fail(ctx, node,
                              "length %lld in %d pieces of %lld: nothing is left for "
                              "the last",
                              (long long)length, node->n_out,
                              (long long)even_length(node, length, 0));
    return MFM_OK;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const split_attr *attr = node->attr;
    mfm_shape piece = node->in[0]->shape;
    int axis;
    int status = mfm_infer_axis(ctx, node, attr->axis, piece.rank, &axis);
    if (status)
        return status;
    const int64_t length = piece.dim[axis];
    status = check_form(ctx, node);
    if (!status)
        status = check_even(ctx, node, length);
    if (status)
        return status;
    int64_t left = length;
    for (int i = 0; i < node->n_out; i++) {
        const bool given = attr->split.count >= 0;
        piece.dim[axis] = given ? attr->split.v[i] : even_length(node, length, i);
        if (piece.dim[axis] < 0 || piece.dim[axis] > left)
            return mfm_infer_fail(ctx, node, "split: piece %d of %lld: %lld are left", i,
                                  (long long)piece.dim[axis], (long long)left);
        left -= piece.dim[axis];
        node->out[i]->shape = piece;
    }
    if (left)
        return mfm_infer_fail(ctx, node, "split: %lld of %lld left over: lengths must add up",
                              (long long)left, (long long)length);
    return MFM_OK;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const int axis = axis_of(node);
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_shape_strides(&node->in[0]->shape, x);
    const real *from = mfm_in(node, 0, lane);
    int64_t offset = 0;
    for (int i = 0; i < node->n_out; i++) {
        const mfm_shape *shape = &node->out[i]->shape;
        real *to = mfm_out(node, i, lane);
        mfm_shape_strides(shape, y);
        if (to)
            mfm_strided_copy(shape, from ? from + offset : NULL, x, 1, to, y, false);
        offset += shape->dim[axis] * x[axis];
    }
}

/* The pieces cover the input, so each writes its own part. */
static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (!to)
        return;
    const int axis = axis_of(node);
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_shape_strides(&node->in[0]->shape, x);
    for (int i = 0; i < node->n_out; i++) {
        const mfm_shape *shape = &node->out[i]->shape;
        mfm_shape_strides(shape, y);
        mfm_strided_copy(shape, mfm_out(node, i, lane), y, 1, to, x,
                         mfm_accumulates(node, 0, lane));
        to += shape->dim[axis] * x[axis];
    }
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"outputs", MFM_DATA, false, true}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(split_attr, axis)},
    {.name = "split",
     .type = MFM_INTS,
     .offset = offsetof(split_attr, split),
     .from_input = 1,
     .since = 13},
    {.name = "num_outputs", .type = MFM_INT, .offset = offsetof(split_attr, num_outputs)},
    {0}};

static const char *const samples[] = {"[2,6,2,2] axis=1 outputs=2 opset=13",
                                      "[2,6,2,2] axis=1 split=1,2,3 outputs=3",
                                      "[4,3] outputs=2 opset=2",
                                      "[2,3,4] axis=-1 split=3,1 outputs=2",
                                      "[2,3,1,5] axis=3 num_outputs=3 outputs=3 opset=18",
                                      "[3,2] axis=1 outputs=1 opset=13",
                                      NULL};

const mfm_op mfm_op_split = {
    .name = "Split",
    .domain = "",
    .since = 2,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(split_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "pieces of a tensor along an axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_split = {
    .op = &mfm_op_split,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
