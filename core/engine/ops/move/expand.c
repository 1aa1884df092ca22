/* Expand, opset 8 and later: the input broadcast with a shape, which may also be smaller than the
 * input's along some axes. Import writes k times the batch size into the shape as -k; the batch
 * size is the length of axis 0 of `like`, whose numbers do not matter. */
#include "core/engine/kernels/broadcast.h"
#include "core/engine/rules.h"

typedef struct expand_attr {
    mfm_ints shape;
} expand_attr;

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_ints *given = &((const expand_attr *)node->attr)->shape;
    if (given->count < 0 || given->count > MFM_MAX_RANK)
        return mfm_infer_fail(ctx, node, "shape: %d entries: must be 0 to %d", given->count,
                              MFM_MAX_RANK);
    mfm_shape shape = {.rank = given->count};
    for (int i = 0; i < given->count; i++) {
        const bool batch = given->v[i] < 0;
        if (batch && (node->n_in < 2 || !node->in[1] || node->in[1]->shape.rank < 1))
            return mfm_infer_fail(ctx, node, "shape: %lld at place %d: there is no batch",
                                  (long long)given->v[i], i);
        shape.dim[i] = given->v[i];
        if (batch && __builtin_mul_overflow(node->in[1]->shape.dim[0], -given->v[i], &shape.dim[i]))
            return mfm_infer_fail(ctx, node, "shape: %lld times the batch size: too long",
                                  -(long long)given->v[i]);
    }
    if (!mfm_broadcast_shape(&node->in[0]->shape, &shape, &node->out[0]->shape)) {
        char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
        return mfm_infer_fail(ctx, node, "%s to %s: lengths must be equal or 1",
                              mfm_shape_text(&node->in[0]->shape, a), mfm_shape_text(&shape, b));
    }
    return MFM_OK;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_broadcast_copy(&node->out[0]->shape, &node->in[0]->shape, mfm_in(node, 0, lane), 1,
                       mfm_out(node, 0, lane), false);
}

/* The sum over the axes along which the input was stretched. */
static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (to)
        mfm_broadcast_reduce(&node->share, &node->out[0]->shape, mfm_out(node, 0, lane), NULL, NULL,
                             1, &node->in[0]->shape, to, mfm_accumulates(node, 0, lane));
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {
    {"input", MFM_DATA, false, false}, {"like", MFM_INDEX, true, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {{.name = "shape",
                                      .type = MFM_INTS,
                                      .offset = offsetof(expand_attr, shape),
                                      .required = true,
                                      .from_input = 1,
                                      .since = 8,
                                      .batch = true},
                                     {0}};

static const char *const samples[] = {"[3,1] shape=3,4",
                                      "[3,1] shape=2,1,6",
                                      "[2,3,1,1] shape=2,3,2,4",
                                      "[2,3] shape=1,1",
                                      "[3,1,2] shape=2,1,2,1",
                                      "[] shape=2,3",
                                      "[1,1,3] [2,3]<2 shape=-1,4,3",
                                      "[2] [3]<2 shape=-1,2",
                                      "[1,3] [2]<2 shape=-4,3",
                                      NULL};

const mfm_op mfm_op_expand = {
    .name = "Expand",
    .domain = "",
    .since = 8,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(expand_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "broadcast to a shape",
    .samples = samples,
};

const mfm_impl mfm_cpu_expand = {
    .op = &mfm_op_expand,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
