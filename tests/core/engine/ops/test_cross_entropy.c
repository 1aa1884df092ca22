#include <math.h>
#include <string.h>

#include "../support/hand_node.h"
#include "tests/suite.h"

static const double tolerance = sizeof(real) == sizeof(float) ? 1e-6 : 1e-14;

/* Sample 0 has logits (0, ln 3), so p = (1/4, 3/4), and class 1: loss -ln(3/4). Sample 1 has equal
 * logits and class 0: loss ln 2. The weights are 2 and 1/2. */
static const double losses[] = {0.28768207245178090, 0.69314718055994531};

static void two_samples(mfm_hand *h, bool weighted, int outputs)
{
    mfm_hand_init(h, "mfm", "SoftmaxCrossEntropy", 1);
    mfm_hand_fill(mfm_hand_input(h, mfm_shape_of(2, 2, 2)), (double[]){0, log(3), 0, 0}, 4);
    mfm_hand_input(h, mfm_shape_of(1, 2))[0] = 1;
    if (weighted)
        mfm_hand_fill(mfm_hand_input(h, mfm_shape_of(1, 2)), (double[]){2, 0.5}, 2);
    h->node.n_out = outputs;
    h->out[1] = outputs > 1 ? &h->outputs[1] : NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(h), MFM_OK);
}

static void values(void)
{
    mfm_hand h;
    two_samples(&h, false, 1);
    CU_ASSERT_EQUAL(h.outputs[0].shape.rank, 0);
    h.node.impl->rule->forward(&h.node);
    CU_ASSERT_DOUBLE_EQUAL(h.outputs[0].lane[MFM_X][0], (losses[0] + losses[1]) / 2, tolerance);
    mfm_hand_clear(&h);

    two_samples(&h, true, 2);
    h.node.impl->rule->forward(&h.node);
    CU_ASSERT_DOUBLE_EQUAL(h.outputs[0].lane[MFM_X][0], (2 * losses[0] + 0.5 * losses[1]) / 2,
                           tolerance);
    CU_ASSERT(mfm_hand_distance(h.outputs[1].lane[MFM_X], losses, 2) < tolerance);
    mfm_hand_clear(&h);
}

static void gradients(void)
{
    mfm_hand h;
    two_samples(&h, true, 1);
    h.outputs[0].lane[MFM_G][0] = 1;
    h.node.impl->rule->forward(&h.node);
    h.node.impl->rule->vjp(&h.node);
    CU_ASSERT(mfm_hand_distance(h.inputs[0].lane[MFM_G], (double[]){0.25, -0.25, -0.125, 0.125},
                                4) < tolerance);
    CU_ASSERT(mfm_hand_distance(h.inputs[2].lane[MFM_G], (double[]){losses[0] / 2, losses[1] / 2},
                                2) < tolerance);
    mfm_hand_clear(&h);
}

/* z_0' = (1, 0) and w_0' = 1: p_0' = (3/16, -3/16), l_0' = 1/4. */
static void second_order(void)
{
    mfm_hand h;
    two_samples(&h, true, 1);
    h.outputs[0].lane[MFM_G][0] = 1;
    h.inputs[0].lane[MFM_DX][0] = 1;
    h.inputs[2].lane[MFM_DX][0] = 1;
    h.node.impl->rule->forward(&h.node);
    h.node.impl->rule->jvp(&h.node);
    h.node.impl->rule->vjp_t(&h.node);
    CU_ASSERT_DOUBLE_EQUAL(h.outputs[0].lane[MFM_DX][0], (2 * 0.25 + losses[0]) / 2, tolerance);
    const double gz[] = {0.1875 + 0.125, -0.1875 - 0.125, 0, 0};
    CU_ASSERT(mfm_hand_distance(h.inputs[0].lane[MFM_DG], gz, 4) < tolerance);
    CU_ASSERT(mfm_hand_distance(h.inputs[2].lane[MFM_DG], (double[]){0.125, 0}, 2) < tolerance);
    mfm_hand_clear(&h);
}

static void large_logits(void)
{
    mfm_hand h;
    two_samples(&h, true, 2);
    mfm_hand_fill(h.inputs[0].lane[MFM_X], (double[]){1000, 0, 1000, -1000}, 4);
    h.node.impl->rule->forward(&h.node);
    CU_ASSERT(mfm_hand_distance(h.outputs[1].lane[MFM_X], (double[]){1000, 0}, 2) < tolerance);
    mfm_hand_clear(&h);
}

static void strange_labels(void)
{
    static const double labels[] = {-1, 2, 1e30, -1e30, INFINITY, NAN};
    for (int i = 0; i < 6; i++) {
        mfm_hand h;
        two_samples(&h, true, 2);
        h.inputs[1].lane[MFM_X][0] = (real)labels[i];
        h.outputs[0].lane[MFM_G][0] = 1;
        h.node.impl->rule->forward(&h.node);
        h.node.impl->rule->jvp(&h.node);
        h.node.impl->rule->vjp(&h.node);
        h.node.impl->rule->vjp_t(&h.node);
        CU_ASSERT(isnan((double)h.outputs[0].lane[MFM_X][0]));
        CU_ASSERT(isnan((double)h.outputs[1].lane[MFM_X][0]));
        CU_ASSERT_DOUBLE_EQUAL(h.outputs[1].lane[MFM_X][1], losses[1], tolerance);
        mfm_hand_clear(&h);
    }
}

static void refuse(mfm_shape logits, mfm_shape labels, mfm_shape weights, const char *text)
{
    mfm_hand h;
    mfm_hand_init(&h, "mfm", "SoftmaxCrossEntropy", 1);
    mfm_hand_input(&h, logits);
    mfm_hand_input(&h, labels);
    mfm_hand_input(&h, weights);
    CU_ASSERT_EQUAL(mfm_hand_infer(&h), MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h.ctx), text));
    mfm_hand_clear(&h);
}

static void refusals(void)
{
    const mfm_shape two = mfm_shape_of(1, 2), three = mfm_shape_of(1, 3);
    const mfm_shape logits = mfm_shape_of(2, 2, 5);
    refuse(mfm_shape_of(1, 2), two, two, "logits [2]");
    refuse(mfm_shape_of(4, 2, 5, 1, 1), two, two, "logits [2,5,1,1]");
    refuse(mfm_shape_of(2, 0, 5), two, two, "logits [0,5]");
    refuse(mfm_shape_of(2, 2, 0), two, two, "logits [2,0]");
    refuse(logits, three, two, "labels [3]");
    refuse(logits, mfm_shape_of(2, 2, 1), two, "labels [2,1]");
    refuse(logits, two, three, "weights [3]");
}

static const mfm_case cases[] = {
    {"losses and their weighted mean are those worked out by hand", values},
    {"gradients of logits and weights are those worked out by hand", gradients},
    {"second-order terms are those worked out by hand", second_order},
    {"large logits do not overflow", large_logits},
    {"a label that is no class gives NaN and touches nothing else", strange_labels},
    {"shapes that do not fit are refused", refusals},
};
MFM_SUITE("core/engine/cross_entropy", cases)
