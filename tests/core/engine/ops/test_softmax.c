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

enum { LENGTH = 133, RUNS = 3 };

/* RUNS runs of LENGTH numbers, along the last axis or the first. */
static real *long_runs(mfm_hand *h, bool last)
{
    mfm_hand_init(h, "", "Softmax", 13);
    mfm_hand_set(h, "axis", last ? "1" : "0");
    return mfm_hand_input(h, last ? mfm_shape_of(2, RUNS, LENGTH) : mfm_shape_of(2, LENGTH, RUNS));
}

static int place(bool last, int run, int k)
{
    return last ? run * LENGTH + k : k * RUNS + run;
}

/* What one number, or all, of a run's is; at places in a vector and behind the last whole one. */
static void not_finite(void)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 12; i++) {
        const bool last = i & 1, all = i >> 1 & 1;
        const double number = odd[i / 4];
        const int at[] = {0, 7, LENGTH - 1};
        mfm_hand h;
        real *x = long_runs(&h, last);
        for (int run = 0; run < RUNS; run++)
            for (int k = 0; k < LENGTH; k++)
                x[place(last, run, k)] = (real)(all || k == at[run] ? number : 0);
        CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
        h.node.impl->rule->forward(&h.node);
        for (int run = 0; run < RUNS; run++)
            for (int k = 0; k < LENGTH; k++) {
                const double y = (double)h.outputs[0].lane[MFM_X][place(last, run, k)];
                const double expected = k == at[run] ? 0 : 1. / (LENGTH - 1);
                const bool is_nan = all || number != -INFINITY;
                CU_ASSERT(is_nan ? isnan(y) : fabs(y - expected) < tolerance);
            }
        mfm_hand_clear(&h);
    }
}

/* Multiples of 2^-6, whose differences are exact, down to where e^x leaves single precision. The
 * sum of the run, in order where a build has no vectors, is what rounds most. */
static void to_few_ulps(void)
{
    enum { MOST_ULPS = 4 };
    const double ulp = sizeof(real) == sizeof(float) ? ldexp(1, -23) : ldexp(1, -52);
    for (int last = 0; last < 2; last++) {
        mfm_hand h;
        real *x = long_runs(&h, last);
        for (int run = 0; run < RUNS; run++)
            for (int k = 0; k < LENGTH; k++)
                x[place(last, run, k)] = (real)(5 + ldexp(-(k * 2741 + run * 977) % 8191, -6));
        CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
        h.node.impl->rule->forward(&h.node);
        for (int run = 0; run < RUNS; run++) {
            double top = -INFINITY, sum = 0;
            for (int k = 0; k < LENGTH; k++)
                top = fmax(top, (double)x[place(last, run, k)]);
            for (int k = 0; k < LENGTH; k++)
                sum += exp((double)x[place(last, run, k)] - top);
            for (int k = 0; k < LENGTH; k++) {
                const double d = (double)x[place(last, run, k)] - top, y = exp(d) / sum;
                const double off = fabs((double)h.outputs[0].lane[MFM_X][place(last, run, k)] - y);
                CU_ASSERT(d < -85 ? off < 1e-36 : off <= MOST_ULPS * ulp * y);
            }
        }
        mfm_hand_clear(&h);
    }
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
    {"NaN, +inf and nothing but -inf make a run NaN; -inf beside numbers is zero", not_finite},
    {"each number is right to four units in the last place", to_few_ulps},
    {"axes outside the rank are refused", bad_axes},
};
MFM_SUITE("core/engine/softmax", cases)
