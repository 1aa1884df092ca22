#include <math.h>
#include <string.h>

#include "../support/hand_node.h"
#include "tests/suite.h"

static const double tolerance = sizeof(real) == sizeof(float) ? 1e-6 : 1e-14;

/* The operator over the last axis of [2, 3], without that axis, all passes run with x' and g. */
static void run(mfm_hand *h, const char *name, const double x[6])
{
    static const double dx[] = {1, 2, 3, 1, 2, 3}, g[] = {1, 10};
    mfm_hand_init(h, "", name, 17);
    mfm_hand_set(h, "axes", "1");
    mfm_hand_set(h, "keepdims", "0");
    mfm_hand_fill(mfm_hand_input(h, mfm_shape_of(2, 2, 3)), x, 6);
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(h), MFM_OK);
    mfm_hand_fill(h->inputs[0].lane[MFM_DX], dx, 6);
    mfm_hand_fill(h->outputs[0].lane[MFM_G], g, 2);
    const mfm_rule *rule = h->node.impl->rule;
    rule->forward(&h->node);
    rule->jvp(&h->node);
    rule->vjp(&h->node);
    rule->vjp_t(&h->node);
}

static void expect(mfm_hand *h, const double y[2], const double dy[2], const double gx[6],
                   const double dgx[6])
{
    CU_ASSERT(mfm_hand_distance(h->outputs[0].lane[MFM_X], y, 2) < tolerance * 10);
    CU_ASSERT(mfm_hand_distance(h->outputs[0].lane[MFM_DX], dy, 2) < tolerance * 10);
    CU_ASSERT(mfm_hand_distance(h->inputs[0].lane[MFM_G], gx, 6) < tolerance * 10);
    CU_ASSERT(mfm_hand_distance(h->inputs[0].lane[MFM_DG], dgx, 6) < tolerance * 10);
    mfm_hand_clear(h);
}

/* (0, 2, 3) has slopes 6, 0, 0, and (0, 0, 3) none; along (1, 2, 3) the slopes change by 2*3 + 2*3,
 * 3, 2, and by 2*3, 1*3, 0. */
static void product_with_zeros(void)
{
    mfm_hand h;
    run(&h, "ReduceProd", (double[]){0, 2, 3, 0, 0, 3});
    expect(&h, (double[]){0, 0}, (double[]){6, 0}, (double[]){6, 0, 0, 0, 0, 0},
           (double[]){12, 3, 2, 60, 30, 0});
}

/* (3, 0, 4) has norm 5 and slopes 3/5, 0, 4/5; y' = 3. The slopes change by (x' - y' x / 5) / 5. */
static void norm_with_zeros(void)
{
    mfm_hand h;
    run(&h, "ReduceL2", (double[]){3, 0, 4, 0, 0, 0});
    expect(&h, (double[]){5, 0}, (double[]){3, 0}, (double[]){0.6, 0, 0.8, 0, 0, 0},
           (double[]){-0.16, 0.4, 0.12, 0, 0, 0});
}

static void first_of_equal_ones(void)
{
    mfm_hand h;
    run(&h, "ReduceMax", (double[]){1, 7, 7, -1, -1, -1});
    expect(&h, (double[]){7, -1}, (double[]){2, 1}, (double[]){0, 1, 0, 10, 0, 0},
           (double[]){0, 0, 0, 0, 0, 0});
    run(&h, "ReduceMin", (double[]){1, 7, 1, -1, -2, -2});
    expect(&h, (double[]){1, -2}, (double[]){1, 2}, (double[]){1, 0, 0, 0, 10, 0},
           (double[]){0, 0, 0, 0, 0, 0});
}

/* exp is 1, 1, 2 over 4, beyond what a real's exp holds: shares 1/4, 1/4, 1/2, y' = 9/4; the shares
 * change by themselves times x' - 9/4. */
static void exponentials_that_overflow(void)
{
    mfm_hand h;
    const double two = 0.69314718055994531;
    run(&h, "ReduceLogSumExp", (double[]){0, 0, two, -INFINITY, -INFINITY, 0});
    expect(&h, (double[]){2 * two, 0}, (double[]){2.25, 3}, (double[]){0.25, 0.25, 0.5, 0, 0, 10},
           (double[]){-0.3125, -0.0625, 0.375, 0, 0, 0});
    run(&h, "ReduceLogSumExp", (double[]){5000, 5000, 5000, -5000, -5000, -5000});
    const double y[] = {5000 + 1.0986122886681098, -5000 + 1.0986122886681098};
    CU_ASSERT(mfm_hand_distance(h.outputs[0].lane[MFM_X], y, 2) < 5000 * tolerance);
    mfm_hand_clear(&h);
    const double least = -INFINITY;
    run(&h, "ReduceLogSumExp", (double[]){least, least, least, 0, 0, INFINITY});
    CU_ASSERT_EQUAL(h.outputs[0].lane[MFM_X][0], (real)-INFINITY);
    CU_ASSERT_EQUAL(h.outputs[0].lane[MFM_X][1], (real)INFINITY);
    mfm_hand_clear(&h);
}

static void not_a_number(void)
{
    static const char *const names[] = {
        "ReduceSum", "ReduceMean", "ReduceMax",       "ReduceMin",    "ReduceProd",
        "ReduceL1",  "ReduceL2",   "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mfm_hand h;
        run(&h, names[i], (double[]){1, NAN, 2, NAN, 1, 2});
        CU_ASSERT(isnan((double)h.outputs[0].lane[MFM_X][0]));
        CU_ASSERT(isnan((double)h.outputs[0].lane[MFM_X][1]));
        mfm_hand_clear(&h);
    }
}

static void refusals(void)
{
    static const char *const settings[][4] = {{"ReduceL1", "noop_with_empty_axes", "1", "differs"},
                                              {"ReduceSum", "axes", "2", "[-2, 2)"},
                                              {"ReduceMax", "axes", "1,-1", "twice"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        mfm_hand h;
        mfm_hand_init(&h, "", settings[i][0], 18);
        mfm_hand_input(&h, mfm_shape_of(2, 2, 3));
        mfm_hand_set(&h, settings[i][1], settings[i][2]);
        CU_ASSERT_EQUAL(mfm_hand_infer(&h), MFM_EDATA);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h.ctx), settings[i][3]));
        mfm_hand_clear(&h);
    }
}

static const mfm_case cases[] = {
    {"products with zeros have their derivatives", product_with_zeros},
    {"norms have theirs, 0 where all numbers are zero", norm_with_zeros},
    {"of equal numbers the first counts", first_of_equal_ones},
    {"sums of exponentials neither overflow nor vanish", exponentials_that_overflow},
    {"what is not a number stays so", not_a_number},
    {"settings without a meaning are refused", refusals},
};
MFM_SUITE("core/engine/reduce", cases)
