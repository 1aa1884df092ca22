/*
 * Div, opset 7 and later: y = a / b with numpy's broadcasting. Versions before 7 broadcast by an
 * attribute.
 *
 * With q = g / b, and R_a the sum over the axes along which a was stretched (R_b likewise):
 *     jvp    y' = (a' - y b') / b
 *     vjp    ga = R_a q              gb = -R_b (q / b) a
 * vjp_t is the derivative of both along (a', b', g'):
 *     q'  = (g' - q b') / b
 *     ga' = R_a q'
 *     gb' = -R_b [ (q'/b) a + (q/b) a' - (q/b) (b'/b) a ]
 * A temporary of the result's shape is kept in scratch.
 */
#include "core/engine/impl.h"
#include "core/engine/kernels/broadcast.h"
#include "core/engine/ops/pointwise/elementwise.h"

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->scratch_size = (size_t)mfm_shape_count(&node->out[0]->shape);
    return MFM_OK;
}

/* y = full op other, where `other` is broadcast from the shape of input `input`. */
static void with_input(const mfm_node *node, enum mfm_binary op, const real *full, int input,
                       const real *other, real *y)
{
    const mfm_shape *shape = &node->out[0]->shape;
    mfm_broadcast_binary(op, shape, shape, full, &node->in[input]->shape, other, y, false);
}

static void divide(const mfm_node *node, const real *full, real *y)
{
    with_input(node, MFM_BINARY_DIV, full, 1, mfm_in(node, 1, MFM_X), y);
}

static void forward(const mfm_node *node)
{
    mfm_broadcast_binary(MFM_BINARY_DIV, &node->out[0]->shape, &node->in[0]->shape,
                         mfm_in(node, 0, MFM_X), &node->in[1]->shape, mfm_in(node, 1, MFM_X),
                         mfm_out(node, 0, MFM_X), false);
}

/* y is not kept for this pass, so it is computed again. */
static void jvp(const mfm_node *node)
{
    const mfm_shape *shape = &node->out[0]->shape;
    const mfm_shape *a_shape = &node->in[0]->shape, *b_shape = &node->in[1]->shape;
    const real *da = mfm_in(node, 0, MFM_DX), *db = mfm_in(node, 1, MFM_DX);
    real *t = NULL;
    if (db) {
        t = node->scratch;
        mfm_broadcast_binary(MFM_BINARY_DIV, shape, a_shape, mfm_in(node, 0, MFM_X), b_shape,
                             mfm_in(node, 1, MFM_X), t, false);
        with_input(node, MFM_BINARY_MUL, t, 1, db, t);
    }
    real *y = mfm_out(node, 0, MFM_DX);
    mfm_broadcast_binary(MFM_BINARY_SUB, shape, a_shape, da, shape, t, y, false);
    divide(node, y, y);
}

/* gb = [gb +] scale * R_b t x, x having the shape of a. */
static void to_divisor(const mfm_node *node, enum mfm_lane lane, const real *t, const real *x,
                       real scale, bool add)
{
    mfm_broadcast_reduce(&node->share, &node->out[0]->shape, t, &node->in[0]->shape, x, scale,
                         &node->in[1]->shape, mfm_in(node, 1, lane), add);
}

static void to_dividend(const mfm_node *node, enum mfm_lane lane, const real *q)
{
    mfm_broadcast_reduce(&node->share, &node->out[0]->shape, q, NULL, NULL, 1, &node->in[0]->shape,
                         mfm_in(node, 0, lane), mfm_accumulates(node, 0, lane));
}

static void vjp(const mfm_node *node)
{
    real *t = node->scratch;
    divide(node, mfm_out(node, 0, MFM_G), t);
    if (mfm_in(node, 0, MFM_G))
        to_dividend(node, MFM_G, t);
    if (!mfm_in(node, 1, MFM_G))
        return;
    divide(node, t, t);
    to_divisor(node, MFM_G, t, mfm_in(node, 0, MFM_X), -1, mfm_accumulates(node, 1, MFM_G));
}

/* t = q' = (g' - (g / b) b') / b; NULL lanes are zero. */
static void quotient_tangent(const mfm_node *node, real *t)
{
    const mfm_shape *shape = &node->out[0]->shape;
    const real *g = mfm_out(node, 0, MFM_G), *db = mfm_in(node, 1, MFM_DX);
    const real *subtract = NULL;
    if (g && db) {
        divide(node, g, t);
        with_input(node, MFM_BINARY_MUL, t, 1, db, t);
        subtract = t;
    }
    mfm_broadcast_binary(MFM_BINARY_SUB, shape, shape, mfm_out(node, 0, MFM_DG), shape, subtract, t,
                         false);
    divide(node, t, t);
}

static void vjp_t(const mfm_node *node)
{
    real *t = node->scratch;
    const real *a = mfm_in(node, 0, MFM_X), *da = mfm_in(node, 0, MFM_DX);
    const real *g = mfm_out(node, 0, MFM_G), *db = mfm_in(node, 1, MFM_DX);
    quotient_tangent(node, t);
    if (mfm_in(node, 0, MFM_DG))
        to_dividend(node, MFM_DG, t);
    if (!mfm_in(node, 1, MFM_DG))
        return;
    divide(node, t, t);
    to_divisor(node, MFM_DG, t, a, -1, mfm_accumulates(node, 1, MFM_DG));
    if (!g || (!da && !db))
        return;
    divide(node, g, t);
    divide(node, t, t);
    if (da)
        to_divisor(node, MFM_DG, t, da, -1, true);
    if (!db)
        return;
    with_input(node, MFM_BINARY_MUL, t, 1, db, t);
    divide(node, t, t);
    to_divisor(node, MFM_DG, t, a, 1, true);
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};

static const mfm_port inputs[] = {
    {"A", MFM_DATA, false, false}, {"B", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"C", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5] [2,3,4,5]",
                                      "[2,3,4,3] [2,3,1,1]",
                                      "[2,3,2,4] [3,1,1]",
                                      "[2,1,2,2] [2,3,1,1]",
                                      "[4] [3,1]+",
                                      "[] [2,3]",
                                      "[2,3] []",
                                      "[] []",
                                      NULL};

const mfm_op mfm_op_div = {
    .name = "Div",
    .domain = "",
    .since = 7,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_broadcast,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "quotient of two tensors, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_div = {
    .op = &mfm_op_div,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
