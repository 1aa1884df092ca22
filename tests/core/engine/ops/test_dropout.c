#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../support/hand_node.h"
#include "tests/suite.h"

enum { COUNT = 20000 };

static void make(mfm_hand *h, bool training, const char *ratio)
{
    mfm_hand_init(h, "", "Dropout", 13);
    h->node.training = training;
    h->node.key = (mfm_key){.seed = 3, .stream = MFM_STREAM_DROPOUT, .node = 4, .step = 5};
    mfm_hand_set(h, "ratio", ratio);
    real *x = mfm_hand_input(h, mfm_shape_of(1, COUNT));
    for (int i = 0; i < COUNT; i++)
        x[i] = (real)(1 + i % 7);
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(h), MFM_OK);
}

static void training(void)
{
    mfm_hand h;
    make(&h, true, "0.2");
    h.node.impl->rule->forward(&h.node);
    int kept = 0;
    for (int i = 0; i < COUNT; i++) {
        const real y = h.outputs[0].lane[MFM_X][i];
        kept += y != 0;
        if (y != 0)
            CU_ASSERT_DOUBLE_EQUAL(y, (1 + i % 7) / 0.8, 1e-5);
    }
    /* Four standard deviations of the binomial distribution. */
    CU_ASSERT(fabs(kept - 0.8 * COUNT) < 4 * sqrt(0.8 * 0.2 * COUNT));
    mfm_hand_clear(&h);
}

static void draws(void)
{
    mfm_hand a, b;
    make(&a, true, "0.5");
    make(&b, true, "0.5");
    const size_t bytes = COUNT * sizeof(real);
    real *const *y = a.outputs[0].lane, *const *z = b.outputs[0].lane;
    a.node.impl->rule->forward(&a.node);
    b.node.impl->rule->forward(&b.node);
    CU_ASSERT(!memcmp(y[MFM_X], z[MFM_X], bytes));
    memcpy(a.inputs[0].lane[MFM_DX], a.inputs[0].lane[MFM_X], bytes);
    a.node.impl->rule->jvp(&a.node);
    CU_ASSERT(!memcmp(y[MFM_DX], y[MFM_X], bytes));
    b.node.key.step++;
    b.node.impl->rule->forward(&b.node);
    int equal = 0;
    for (int i = 0; i < COUNT; i++)
        equal += (y[MFM_X][i] == 0) == (z[MFM_X][i] == 0);
    CU_ASSERT(abs(equal - COUNT / 2) < 4 * sqrt(0.25 * COUNT));
    mfm_hand_clear(&a);
    mfm_hand_clear(&b);
}

static void inference(void)
{
    mfm_hand h;
    make(&h, false, "0.5");
    CU_ASSERT_EQUAL(h.node.saved_size, 0);
    h.node.impl->rule->forward(&h.node);
    CU_ASSERT(!memcmp(h.outputs[0].lane[MFM_X], h.inputs[0].lane[MFM_X], COUNT * sizeof(real)));
    mfm_hand_clear(&h);
}

static void refusals(void)
{
    static const char *const ratios[] = {"1", "-0.1", "nan", "inf"};
    for (int i = 0; i < 4; i++) {
        mfm_hand h;
        mfm_hand_init(&h, "", "Dropout", 7);
        mfm_hand_input(&h, mfm_shape_of(1, 3));
        mfm_hand_set(&h, "ratio", ratios[i]);
        CU_ASSERT_EQUAL(mfm_hand_infer(&h), MFM_EDATA);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h.ctx), "ratio"));
        mfm_hand_clear(&h);
    }
    mfm_hand h;
    mfm_hand_init(&h, "", "Dropout", 7);
    mfm_hand_input(&h, mfm_shape_of(1, 3));
    h.node.n_out = 2;
    h.out[1] = &h.outputs[1];
    CU_ASSERT_EQUAL(mfm_hand_infer(&h), MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h.ctx), "mask"));
    mfm_hand_clear(&h);
}

static const mfm_case cases[] = {
    {"training drops the asked share and scales up the rest", training},
    {"a step has one mask for all its passes, the next step another", draws},
    {"inference passes everything through and saves nothing", inference},
    {"ratios outside [0, 1) and a used mask are refused", refusals},
};
MFM_SUITE("core/engine/dropout", cases)
