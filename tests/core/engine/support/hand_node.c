#include "hand_node.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <string.h>

void mfm_hand_init(mfm_hand *hand, const char *domain, const char *name, int opset)
{
    memset(hand, 0, sizeof *hand);
    hand->ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(hand->ctx);
    const mfm_op *op = mfm_op_find(domain, name, opset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    hand->attr = mfm_alloc(hand->ctx, 1, op->attr_size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(hand->attr);
    mfm_attr_defaults(op, hand->attr);
    hand->out[0] = &hand->outputs[0];
    hand->node = (mfm_node){.op = op,
                            .name = "n",
                            .attr = hand->attr,
                            .opset = opset,
                            .n_out = 1,
                            .in = hand->in,
                            .out = hand->out,
                            .accumulates = hand->accumulates};
}

static void free_lanes(mfm_hand *hand, mfm_tensor *tensor)
{
    for (int lane = 0; lane < MFM_LANES; lane++)
        mfm_free_aligned(hand->ctx, tensor->lane[lane]);
}

void mfm_hand_clear(mfm_hand *hand)
{
    for (int i = 0; i < MFM_HAND_INPUTS; i++)
        free_lanes(hand, &hand->inputs[i]);
    for (int i = 0; i < MFM_HAND_OUTPUTS; i++)
        free_lanes(hand, &hand->outputs[i]);
    mfm_node_release(hand->ctx, &hand->node);
    mfm_free_aligned(hand->ctx, hand->node.saved);
    mfm_free_aligned(hand->ctx, hand->node.scratch);
    mfm_free(hand->ctx, hand->attr);
    mfm_ctx_free(hand->ctx);
}

void mfm_hand_set(mfm_hand *hand, const char *attribute, const char *text)
{
    CU_ASSERT_EQUAL_FATAL(mfm_attr_parse(hand->ctx, hand->node.op, hand->attr, attribute, text),
                          MFM_OK);
}

/* n reals, all with one value. */
static real *filled(mfm_hand *hand, size_t n, real value)
{
    real *lane = mfm_alloc_aligned(hand->ctx, n, sizeof *lane);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lane);
    for (size_t i = 0; i < n; i++)
        lane[i] = value;
    return lane;
}

static size_t count_of(const mfm_tensor *tensor)
{
    return (size_t)mfm_shape_count(&tensor->shape);
}

real *mfm_hand_input(mfm_hand *hand, mfm_shape shape)
{
    mfm_tensor *tensor = &hand->inputs[hand->node.n_in];
    hand->in[hand->node.n_in++] = tensor;
    tensor->shape = shape;
    return tensor->lane[MFM_X] = filled(hand, count_of(tensor), 0);
}

int mfm_hand_infer(mfm_hand *hand)
{
    mfm_node *node = &hand->node;
    int status = node->op->shape(hand->ctx, node);
    if (!status)
        status = mfm_node_setup(hand->ctx, node);
    if (status)
        return status;
    node->saved = filled(hand, node->saved_size, (real)NAN);
    node->scratch = filled(hand, node->scratch_size, (real)NAN);
    for (int i = 0; i < node->n_in; i++)
        for (int lane = MFM_DX; lane < MFM_LANES; lane++)
            node->in[i]->lane[lane] =
                filled(hand, count_of(node->in[i]), lane == MFM_DX ? 0 : (real)NAN);
    for (int i = 0; i < node->n_out; i++)
        for (int lane = 0; lane < MFM_LANES; lane++)
            node->out[i]->lane[lane] =
                filled(hand, count_of(node->out[i]), lane >= MFM_G ? 0 : (real)NAN);
    return MFM_OK;
}

void mfm_hand_fill(real *to, const double *from, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = (real)from[i];
}

double mfm_hand_distance(const real *a, const double *b, int n)
{
    double worst = 0;
    for (int i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - b[i]);
        worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
    }
    return worst;
}
