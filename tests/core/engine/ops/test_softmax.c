#include <math.h>
#include <string.h>

#include "../support/hand_node.h"
#include "tests/suite.h"

static const double tolerance = sizeof(real) == sizeof(float) ? 1e-6 : 1e-14;

/* An image [1, 3, 1, 2]: stored, its six numbers are the logarithms of 1 .. 6, two rows (columns of
 * the image) of three channels. */
static void image(mfm_hand *h, const char *name, int opset)
{
    mfm_hand_init(h, "", name, opset);
    real *x = mfm_hand_input(h, mfm_shape_of(4, 1, 3, 1, 2));
    for (int i = 0; i < 6; i++)
        x[i] = (real)log(i + 1);
}

static void expect(mfm_hand *h, const double *y)
{
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(h), MFM_OK);
    h->node.impl->rule->forward(&h->node);
    CU_ASSERT(mfm_hand_distance(h->outputs[0].lane[MFM_X], y, 6) < tolerance);
    mfm_hand_clear(h);
}

static void along_channels(void)
{
    mfm_hand h;
    image(&h, "Softmax", 13);
    mfm_hand_set(&h, "axis", "1");
    expect(&h, (double[]){1. / 6, 2. / 6, 3. / 6, 4. / 15, 5. / 15, 6. / 15});
}

static void along_columns(void)
{
    mfm_hand h;
    image(&h, "Softmax", 17);
    expect(&h, (double[]){1. / 5, 2. / 7, 3. / 9, 4. / 5, 5. / 7, 6. / 9});
}

static void flattened(void)
{
    mfm_hand h;
    image(&h, "Softmax", 12);
    expect(&h, (double[]){1. / 21, 2. / 21, 3. / 21, 4. / 21, 5. / 21, 6. / 21});
    image(&h, "Softmax", 11);
    mfm_hand_set(&h, "axis", "2");
    expect(&h, (double[]){1. / 5, 2. / 7, 3. / 9, 4. / 5, 5. / 7, 6. / 9});
}

static void logarithms(void)
{
    mfm_hand h;
    image(&h, "LogSoftmax", 13);
    mfm_hand_set(&h, "axis", "-3");
    expect(&h, (double[]){log(1. / 6), log(2. / 6), log(3. / 6), log(4. / 15), log(5. / 15),
                          log(6. / 15)});
    image(&h, "LogSoftmax", 9);
    expect(&h, (double[]){log(1. / 21), log(2. / 21), log(3. / 21), log(4. / 21), log(5. / 21),
                          log(6. / 21)});
}

static void large_numbers(void)
{
    mfm_hand h;
    mfm_hand_init(&h, "", "LogSoftmax", 13);
    mfm_hand_fill(mfm_hand_input(&h, mfm_shape_of(2, 2, 3)),
                  (double[]){1000, 0, 0, -1000, -1000, -1003}, 6);
    expect(&h, (double[]){0, -1000, -1000, -log(2 + exp(-3)), -log(2 + exp(-3)),
                          -3 - log(2 + exp(-3))});
}

static void bad_axes(void)
{
    static const char *const axes[] = {"4", "-5", "9223372036854775807", "-9223372036854775808"};
    for (int i = 0; i < 4; i++)
        for (int opset = 11; opset <= 13; opset += 2) {
            mfm_hand h;
            image(&h, "Softmax", opset);
            mfm_hand_set(&h, "axis", axes[i]);
            CU_ASSERT_EQUAL(mfm_hand_infer(&h), MFM_EDATA);
            CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h.ctx), axes[i]));
            mfm_hand_clear(&h);
        }
}

static const mfm_case cases[] = {
    {"from opset 13 on softmax runs along one axis of the image", along_channels},
    {"from opset 13 on the last axis is the default", along_columns},
    {"before opset 13 softmax runs over the axis and all after it", flattened},
    {"logarithms of softmax follow the same axes", logarithms},
    {"large numbers do not overflow", large_numbers},
    {"axes outside the rank are refused", bad_axes},
};
MFM_SUITE("core/engine/softmax", cases)
