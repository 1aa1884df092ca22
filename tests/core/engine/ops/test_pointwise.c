#include <math.h>
#include <string.h>

#include "core/engine/rules.h"
#include "../support/hand_node.h"
#include "tests/suite.h"

static const double tolerance = sizeof(real) == sizeof(float) ? 1e-6 : 1e-14;

/* At x, an operator has the value y and the first two derivatives d1 and d2. */
typedef struct point {
    const char *op, *attribute, *text;
    double x, y, d1, d2;
} point;

static const point points[] = {
    {"Relu", NULL, NULL, -2, 0, 0, 0},
    {"Relu", NULL, NULL, 0, 0, 0, 0},
    {"Relu", NULL, NULL, 3, 3, 1, 0},
    {"LeakyRelu", NULL, NULL, -2, -0.02, 0.01, 0},
    {"LeakyRelu", "alpha", "0.5", -2, -1, 0.5, 0},
    {"LeakyRelu", "alpha", "0.5", 2, 2, 1, 0},
    {"Clip", NULL, NULL, 1e30, 1e30, 1, 0},
    {"Clip", NULL, NULL, -1e30, -1e30, 1, 0},
    {"Clip", "max", "6", 6.5, 6, 0, 0},
    {"Clip", "max", "6", 6, 6, 0, 0},
    {"Clip", "max", "6", -9, -9, 1, 0},
    {"Clip", "min", "-1", -2, -1, 0, 0},
    {"Clip", "min", "-1", 2, 2, 1, 0},
    {"HardSigmoid", NULL, NULL, 1, 0.7, 0.2, 0},
    {"HardSigmoid", NULL, NULL, 3, 1, 0, 0},
    {"HardSigmoid", "alpha", "0.5", -1.5, 0, 0, 0},
    {"HardSwish", NULL, NULL, -4, 0, 0, 0},
    {"HardSwish", NULL, NULL, -3, 0, 0, 0},
    {"HardSwish", NULL, NULL, 1, 2. / 3, 5. / 6, 1. / 3},
    {"HardSwish", NULL, NULL, 3, 3, 1, 0},
    {"HardSwish", NULL, NULL, 4, 4, 1, 0},
    /* at log 3 the sigmoid is 3/4 */
    {"Swish", NULL, NULL, 0, 0, 0.5, 0.5},
    {"Swish", NULL, NULL, 1.0986122886681098, 0.75 * 1.0986122886681098,
     0.75 + 0.1875 * 1.0986122886681098, 0.1875 * (2 - 0.5 * 1.0986122886681098)},
    {"Swish", "alpha", "-1", 1.0986122886681098, 0.25 * 1.0986122886681098,
     0.25 - 0.1875 * 1.0986122886681098, -0.1875 * (2 - 0.5 * 1.0986122886681098)},
    {"Swish", NULL, NULL, -1000, 0, 0, 0},
    {"Swish", NULL, NULL, 1000, 1000, 1, 0},
    {"Sigmoid", NULL, NULL, 0, 0.5, 0.25, 0},
    {"Sigmoid", NULL, NULL, 1.0986122886681098, 0.75, 0.1875, -0.09375},
    {"Sigmoid", NULL, NULL, -1000, 0, 0, 0},
    {"Sigmoid", NULL, NULL, 1000, 1, 0, 0},
    {"Tanh", NULL, NULL, 0, 0, 1, 0},
    {"Tanh", NULL, NULL, 0.54930614433405485, 0.5, 0.75, -0.75},
    {"Tanh", NULL, NULL, 1000, 1, 0, 0},
    {"Exp", NULL, NULL, 0.69314718055994531, 2, 2, 2},
    {"Exp", NULL, NULL, -1000, 0, 0, 0},
    {"Sqrt", NULL, NULL, 4, 2, 0.25, -1. / 32},
    /* from PyTorch, by double backward */
    {"Abs", NULL, NULL, -2, 2, -1, 0},
    {"Abs", NULL, NULL, 0, 0, 0, 0},
    {"Abs", NULL, NULL, 3, 3, 1, 0},
    {"Neg", NULL, NULL, 1.5, -1.5, -1, 0},
    {"Reciprocal", NULL, NULL, -4, -0.25, -0.0625, -0.03125},
    {"Reciprocal", NULL, NULL, 0.5, 2, -4, 16},
    {"Sign", NULL, NULL, -2, -1, 0, 0},
    {"Sign", NULL, NULL, 0, 0, 0, 0},
    {"Sign", NULL, NULL, 5, 1, 0, 0},
    {"Floor", NULL, NULL, -1.5, -2, 0, 0},
    {"Floor", NULL, NULL, 2.5, 2, 0, 0},
    {"Ceil", NULL, NULL, -1.5, -1, 0, 0},
    {"Ceil", NULL, NULL, 2.5, 3, 0, 0},
    {"Round", NULL, NULL, -1.5, -2, 0, 0},
    {"Round", NULL, NULL, 2.5, 2, 0, 0},
    {"Round", NULL, NULL, 0.5, 0, 0, 0},
    {"Round", NULL, NULL, 1.2, 1, 0, 0},
    {"Sin", NULL, NULL, 0.5, 0.479425538604203, 0.8775825618903728, -0.479425538604203},
    {"Cos", NULL, NULL, 0.5, 0.8775825618903728, -0.479425538604203, -0.8775825618903728},
    {"Tan", NULL, NULL, 0.5, 0.5463024898437905, 1.2984464104095248, 1.4186890138709112},
    {"Atan", NULL, NULL, 0.5, 0.4636476090008061, 0.8, -0.64},
    {"Sinh", NULL, NULL, -0.5, -0.5210953054937474, 1.1276259652063807, -0.5210953054937474},
    {"Cosh", NULL, NULL, -0.5, 1.1276259652063807, -0.5210953054937474, 1.1276259652063807},
    {"Asinh", NULL, NULL, -0.5, -0.48121182505960347, 0.8944271909999159, 0.3577708763999663},
    {"Elu", NULL, NULL, -1, -0.6321205588285577, 0.36787944117144233, 0.36787944117144233},
    {"Elu", NULL, NULL, 2, 2, 1, 0},
    {"Elu", NULL, NULL, -1000, -1, 0, 0},
    {"Elu", "alpha", "0.5", -1, -0.31606027941427883, 0.18393972058572117, 0.18393972058572117},
    {"Selu", NULL, NULL, -1, -1.1113307412864784, 0.6467686050565521, 0.6467686050565521},
    {"Selu", NULL, NULL, 2, 2.1014020442962646, 1.0507010221481323, 0},
    {"Celu", NULL, NULL, -1, -0.6321205588285577, 0.36787944117144233, 0.36787944117144233},
    {"Celu", NULL, NULL, 2, 2, 1, 0},
    {"Celu", "alpha", "0.5", -1, -0.43233235838169365, 0.1353352832366127, 0.2706705664732254},
    {"Softplus", NULL, NULL, -1, 0.31326168751822286, 0.26894142136999516, 0.19661193324148188},
    {"Softplus", NULL, NULL, 0, 0.6931471805599453, 0.5, 0.25},
    {"Softplus", NULL, NULL, 2, 2.1269280110429727, 0.8807970779778824, 0.10499358540350653},
    {"Softsign", NULL, NULL, -1, -0.5, 0.25, 0.25},
    {"Softsign", NULL, NULL, 3, 0.75, 0.0625, -0.03125},
    {"Mish", NULL, NULL, -1, -0.30340146137410895, 0.059216755877395, 0.349705673670645},
    {"Mish", NULL, NULL, 0, 0, 0.6, 0.64},
    {"Mish", NULL, NULL, 2, 1.9439589595339946, 1.0693179342794896, -0.057724667408294024},
    {"ThresholdedRelu", "alpha", "1.5", 1, 0, 0, 0},
    {"ThresholdedRelu", "alpha", "1.5", 2, 2, 1, 0},
    {"Shrink", NULL, NULL, -0.25, 0, 0, 0},
    {"Shrink", NULL, NULL, 2, 2, 1, 0},
    {"Shrink", "bias", "0.5", -2, -1.5, 1, 0},
    {"Shrink", "bias", "0.5", 0.25, 0, 0, 0},
    {"Shrink", "bias", "0.5", 2, 1.5, 1, 0},
    {"Softplus", NULL, NULL, 1000, 1000, 1, 0},
    {"Softplus", NULL, NULL, -1000, 0, 0, 0},
    {"Mish", NULL, NULL, 1000, 1000, 1, 0},
    {"Mish", NULL, NULL, -1000, 0, 0, 0},
};

static bool is_near(real a, double b)
{
    return fabs((double)a - b) <= tolerance * (1 + fabs(b));
}

/* x' = 1, g = 1 and g' = 0 give y' = g_x = d1 and g_x' = d2. */
static void check(const point *p)
{
    mfm_hand h;
    mfm_hand_init(&h, "", p->op, 24);
    if (p->attribute)
        mfm_hand_set(&h, p->attribute, p->text);
    mfm_hand_input(&h, mfm_shape_of(0))[0] = (real)p->x;
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    h.inputs[0].lane[MFM_DX][0] = 1;
    h.outputs[0].lane[MFM_G][0] = 1;
    const mfm_rule *rule = h.node.impl->rule;
    rule->forward(&h.node);
    rule->jvp(&h.node);
    rule->vjp(&h.node);
    rule->vjp_t(&h.node);
    CU_ASSERT(is_near(h.outputs[0].lane[MFM_X][0], p->y));
    CU_ASSERT(is_near(h.outputs[0].lane[MFM_DX][0], p->d1));
    CU_ASSERT(is_near(h.inputs[0].lane[MFM_G][0], p->d1));
    CU_ASSERT(is_near(h.inputs[0].lane[MFM_DG][0], p->d2));
    mfm_hand_clear(&h);
}

static void values_and_slopes(void)
{
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        check(&points[i]);
}

static void is_nan_asks(void)
{
    static const struct {
        real x, y;
    } asked[] = {{(real)NAN, 1}, {0, 0}, {-2, 0}, {(real)INFINITY, 0}, {-(real)INFINITY, 0}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        mfm_hand h;
        mfm_hand_init(&h, "", "IsNaN", 18);
        mfm_hand_input(&h, mfm_shape_of(0))[0] = asked[i].x;
        CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
        h.node.impl->rule->forward(&h.node);
        CU_ASSERT_EQUAL((double)h.outputs[0].lane[MFM_X][0], (double)asked[i].y);
        mfm_hand_clear(&h);
    }
}

static void not_a_number(void)
{
    static const char *const names[] = {
        "Relu", "LeakyRelu", "Clip",     "HardSigmoid", "HardSwish", "Sigmoid", "Tanh",  "Exp",
        "Sqrt", "Abs",       "Neg",      "Reciprocal",  "Sign",      "Floor",   "Ceil",  "Round",
        "Sin",  "Cos",       "Tan",      "Atan",        "Sinh",      "Cosh",    "Asinh", "Elu",
        "Selu", "Celu",      "Softplus", "Softsign",    "Mish"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mfm_hand h;
        mfm_hand_init(&h, "", names[i], 18);
        mfm_hand_input(&h, mfm_shape_of(0))[0] = (real)NAN;
        CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
        h.node.impl->rule->forward(&h.node);
        CU_ASSERT(isnan((double)h.outputs[0].lane[MFM_X][0]));
        mfm_hand_clear(&h);
    }
}

static void refusals(void)
{
    static const char *const attributes[][3] = {
        {"LeakyRelu", "alpha", "-0.1"},  {"LeakyRelu", "alpha", "inf"},
        {"Clip", "min", "nan"},          {"Clip", "max", "nan"},
        {"HardSigmoid", "alpha", "nan"}, {"HardSigmoid", "beta", "-inf"},
        {"Elu", "alpha", "inf"},         {"Selu", "gamma", "nan"},
        {"Celu", "alpha", "0"},          {"ThresholdedRelu", "alpha", "nan"},
        {"Shrink", "lambd", "inf"}};
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        mfm_hand h;
        mfm_hand_init(&h, "", attributes[i][0], 18);
        mfm_hand_input(&h, mfm_shape_of(0));
        mfm_hand_set(&h, attributes[i][1], attributes[i][2]);
        CU_ASSERT_EQUAL(mfm_hand_infer(&h), MFM_EDATA);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h.ctx), attributes[i][2]));
        mfm_hand_clear(&h);
    }
}

/* From PyTorch, by double backward: a^b and its first two derivatives by a. */
static const double powers[][5] = {
    {2.25, 0, 1, 0, 0},
    {-1.5, 0, 1, 0, 0},
    {0, 0, 1, 0, 0},
    {2.25, 1, 2.25, 1, 0},
    {-1.5, 1, -1.5, 1, 0},
    {0, 1, 0, 1, 0},
    {2.25, 2, 5.0625, 4.5, 2},
    {-1.5, 2, 2.25, -3, 2},
    {0, 2, 0, 0, 2},
    {2.25, 3, 11.390625, 15.1875, 13.5},
    {-1.5, 3, -3.375, 6.75, -9},
    {0, 3, 0, 0, 0},
    {2.25, 0.5, 1.5, 0.3333333333333333, -0.07407407407407407},
    {2.25, -0.5, 0.6666666666666666, -0.14814814814814814, 0.09876543209876544},
    {2.25, -1, 0.4444444444444444, -0.19753086419753085, 0.1755829903978052},
    {2.25, 2.5, 7.59375, 8.4375, 5.625},
    {2.25, 4, 25.62890625, 45.5625, 60.75},
};

static void derivatives_of_powers(const double row[5], bool constant)
{
    mfm_hand h;
    mfm_hand_init(&h, "", "Pow", 15);
    mfm_hand_input(&h, mfm_shape_of(1, 1))[0] = (real)row[0];
    mfm_hand_input(&h, mfm_shape_of(0))[0] = (real)row[1];
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    const mfm_tensor exponent = h.inputs[1];
    for (int lane = MFM_DX; lane < MFM_LANES && constant; lane++)
        h.inputs[1].lane[lane] = NULL;
    h.inputs[0].lane[MFM_DX][0] = 1;
    h.outputs[0].lane[MFM_G][0] = 1;
    const mfm_rule *rule = h.node.impl->rule;
    rule->forward(&h.node);
    rule->jvp(&h.node);
    rule->vjp(&h.node);
    rule->vjp_t(&h.node);
    CU_ASSERT(is_near(h.outputs[0].lane[MFM_X][0], row[2]));
    CU_ASSERT(!constant || is_near(h.outputs[0].lane[MFM_DX][0], row[3]));
    CU_ASSERT(is_near(h.inputs[0].lane[MFM_G][0], row[3]));
    CU_ASSERT(!constant || is_near(h.inputs[0].lane[MFM_DG][0], row[4]));
    h.inputs[1] = exponent;
    mfm_hand_clear(&h);
}

static void exponents(void)
{
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
        derivatives_of_powers(powers[i], true);
        derivatives_of_powers(powers[i], false);
    }
}

/* 2^3: by the exponent 8 log 2, and 0 at 0^3. */
static void derivative_by_an_exponent(void)
{
    mfm_hand h;
    mfm_hand_init(&h, "", "Pow", 15);
    const real bases[] = {2, 0};
    memcpy(mfm_hand_input(&h, mfm_shape_of(1, 2)), bases, sizeof bases);
    const real three[] = {3, 3};
    memcpy(mfm_hand_input(&h, mfm_shape_of(1, 2)), three, sizeof three);
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    h.outputs[0].lane[MFM_G][0] = h.outputs[0].lane[MFM_G][1] = 1;
    h.node.impl->rule->vjp(&h.node);
    CU_ASSERT(is_near(h.inputs[1].lane[MFM_G][0], 5.545177444479562));
    CU_ASSERT_EQUAL(h.inputs[1].lane[MFM_G][1], 0);
    mfm_hand_clear(&h);
}

/* Of three, at two places: all equal; a NaN in the second. */
static void ties(void)
{
    static const char *const names[] = {"Max", "Min"};
    const real at[3][2] = {{1, 2}, {1, (real)NAN}, {1, 3}};
    for (size_t k = 0; k < 2; k++) {
        mfm_hand h;
        mfm_hand_init(&h, "", names[k], 13);
        for (int i = 0; i < 3; i++)
            memcpy(mfm_hand_input(&h, mfm_shape_of(1, 2)), at[i], sizeof at[i]);
        CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
        h.outputs[0].lane[MFM_G][0] = 5;
        h.node.impl->rule->forward(&h.node);
        h.node.impl->rule->vjp(&h.node);
        CU_ASSERT_EQUAL(h.outputs[0].lane[MFM_X][0], 1);
        CU_ASSERT(isnan((double)h.outputs[0].lane[MFM_X][1]));
        for (int i = 0; i < 3; i++)
            CU_ASSERT_EQUAL(h.inputs[i].lane[MFM_G][0], i == 0 ? 5 : 0);
        mfm_hand_clear(&h);
    }
}

/* Of 1 and 2, 2 and 2, 3 and 2. */
static void comparisons(void)
{
    static const struct {
        const char *op;
        real y[3];
    } rows[] = {{"Equal", {0, 1, 0}},
                {"Greater", {0, 0, 1}},
                {"Less", {1, 0, 0}},
                {"GreaterOrEqual", {0, 1, 1}},
                {"LessOrEqual", {1, 1, 0}}};
    const real a[] = {1, 2, 3};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        mfm_hand h;
        mfm_hand_init(&h, "", rows[k].op, 18);
        memcpy(mfm_hand_input(&h, mfm_shape_of(1, 3)), a, sizeof a);
        mfm_hand_input(&h, mfm_shape_of(1, 1))[0] = 2;
        CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
        h.node.impl->rule->forward(&h.node);
        for (int i = 0; i < 3; i++)
            CU_ASSERT_EQUAL(h.outputs[0].lane[MFM_X][i], rows[k].y[i]);
        mfm_hand_clear(&h);
    }
}

static const mfm_case cases[] = {
    {"values and the first two derivatives are those worked out by hand", values_and_slopes},
    {"powers with a constant exponent, and with another", exponents},
    {"a power's derivative by its exponent", derivative_by_an_exponent},
    {"of equal numbers the first counts, and what is not a number wins", ties},
    {"comparisons give truth values", comparisons},
    {"what is not a number stays so", not_a_number},
    {"IsNaN is 1 for NaN alone", is_nan_asks},
    {"attributes without a meaning are refused", refusals},
};
MFM_SUITE("core/engine/pointwise", cases)
