#include <math.h>
#include <omp.h>
#include <string.h>

#include "../support/hand_node.h"
#include "tests/suite.h"

static const double tolerance = sizeof(real) == sizeof(float) ? 1e-6 : 1e-14;

/* One channel of four numbers 1 2 3 4: mean 2.5, variance 1.25; scale 2, bias 1, epsilon 0. */
static void small(mfm_hand *h, bool training)
{
    mfm_hand_init(h, "", "BatchNormalization", 15);
    h->node.training = training;
    mfm_hand_set(h, "epsilon", "0");
    mfm_hand_fill(mfm_hand_input(h, mfm_shape_of(4, 2, 1, 1, 2)), (double[]){1, 2, 3, 4}, 4);
    mfm_hand_input(h, mfm_shape_of(1, 1))[0] = 2;
    mfm_hand_input(h, mfm_shape_of(1, 1))[0] = 1;
    mfm_hand_input(h, mfm_shape_of(1, 1))[0] = 10;
    mfm_hand_input(h, mfm_shape_of(1, 1))[0] = 4;
}

static void normalises_by_batch(void)
{
    mfm_hand h;
    small(&h, true);
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    h.node.impl->rule->forward(&h.node);
    const double s = 1 / sqrt(1.25);
    const double y[] = {1 - 3 * s, 1 - s, 1 + s, 1 + 3 * s};
    CU_ASSERT(mfm_hand_distance(h.outputs[0].lane[MFM_X], y, 4) < tolerance);
    mfm_hand_clear(&h);
}

static void normalises_by_running(void)
{
    mfm_hand h;
    small(&h, false);
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    h.node.impl->rule->forward(&h.node);
    CU_ASSERT(mfm_hand_distance(h.outputs[0].lane[MFM_X], (double[]){-8, -7, -6, -5}, 4) <
              tolerance * 10);
    h.node.impl->update(&h.node);
    CU_ASSERT_EQUAL(h.inputs[3].lane[MFM_X][0], 10);
    CU_ASSERT_EQUAL(h.inputs[4].lane[MFM_X][0], 4);
    mfm_hand_clear(&h);
}

static void running_statistics(void)
{
    mfm_hand h;
    small(&h, true);
    mfm_hand_set(&h, "momentum", "0.75");
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    h.node.impl->rule->forward(&h.node);
    CU_ASSERT_EQUAL(h.inputs[3].lane[MFM_X][0], 10);
    h.node.impl->update(&h.node);
    CU_ASSERT_DOUBLE_EQUAL(h.inputs[3].lane[MFM_X][0], 0.75 * 10 + 0.25 * 2.5, tolerance * 10);
    CU_ASSERT_DOUBLE_EQUAL(h.inputs[4].lane[MFM_X][0], 0.75 * 4 + 0.25 * 1.25, tolerance * 10);
    mfm_hand_clear(&h);
}

/* g = (1, 0, 0, 0): a = 1/4, b = xhat_0 / 4 with xhat_0 = -1.5 s, and 1.5 s 1.5 s / 4 = 0.45:
 * gx = 2 s (1 - 0.25 - 0.45, -0.25 - 0.15, -0.25 + 0.15, -0.25 + 0.45). */
static void adjoints(void)
{
    mfm_hand h;
    small(&h, true);
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    h.outputs[0].lane[MFM_G][0] = 1;
    h.node.impl->rule->forward(&h.node);
    h.node.impl->rule->vjp(&h.node);
    const double s = 1 / sqrt(1.25);
    const double gx[] = {2 * s * 0.3, 2 * s * -0.4, 2 * s * -0.1, 2 * s * 0.2};
    CU_ASSERT(mfm_hand_distance(h.inputs[0].lane[MFM_G], gx, 4) < tolerance);
    CU_ASSERT_DOUBLE_EQUAL(h.inputs[1].lane[MFM_G][0], -1.5 * s, tolerance);
    CU_ASSERT_DOUBLE_EQUAL(h.inputs[2].lane[MFM_G][0], 1, tolerance);
    mfm_hand_clear(&h);
}

/* y does not change when x is shifted or stretched, so neither direction has a tangent, and the
 * adjoint only answers to the stretch: it is homogeneous of degree -1 in x - mu. */
static void invariances(void)
{
    mfm_hand h;
    small(&h, true);
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    const mfm_rule *rule = h.node.impl->rule;
    mfm_hand_fill(h.outputs[0].lane[MFM_G], (double[]){1, 0.5, -2, 0.25}, 4);
    rule->forward(&h.node);
    rule->vjp(&h.node);
    mfm_hand_fill(h.inputs[0].lane[MFM_DX], (double[]){1, 1, 1, 1}, 4);
    rule->jvp(&h.node);
    rule->vjp_t(&h.node);
    const double zero[4] = {0};
    CU_ASSERT(mfm_hand_distance(h.outputs[0].lane[MFM_DX], zero, 4) < tolerance);
    CU_ASSERT(mfm_hand_distance(h.inputs[0].lane[MFM_DG], zero, 4) < tolerance * 10);
    CU_ASSERT_DOUBLE_EQUAL(h.inputs[1].lane[MFM_DG][0], 0, tolerance * 10);
    mfm_hand_fill(h.inputs[0].lane[MFM_DX], (double[]){-1.5, -0.5, 0.5, 1.5}, 4);
    rule->jvp(&h.node);
    rule->vjp_t(&h.node);
    double minus[4];
    for (int i = 0; i < 4; i++)
        minus[i] = -(double)h.inputs[0].lane[MFM_G][i];
    CU_ASSERT(mfm_hand_distance(h.outputs[0].lane[MFM_DX], zero, 4) < tolerance * 10);
    CU_ASSERT(mfm_hand_distance(h.inputs[0].lane[MFM_DG], minus, 4) < tolerance * 10);
    mfm_hand_clear(&h);
}

static void constant_channel(void)
{
    mfm_hand h;
    mfm_hand_init(&h, "", "BatchNormalization", 9);
    h.node.training = true;
    real *x = mfm_hand_input(&h, mfm_shape_of(2, 700, 1));
    for (int i = 0; i < 700; i++)
        x[i] = (real)0.1;
    for (int i = 0; i < 4; i++)
        mfm_hand_input(&h, mfm_shape_of(1, 1))[0] = 3;
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(&h), MFM_OK);
    h.outputs[0].lane[MFM_G][0] = 1;
    h.node.impl->rule->forward(&h.node);
    h.node.impl->rule->vjp(&h.node);
    for (int i = 0; i < 700; i++) {
        CU_ASSERT_DOUBLE_EQUAL(h.outputs[0].lane[MFM_X][i], 3, 1e-4);
        CU_ASSERT(isfinite((double)h.inputs[0].lane[MFM_G][i]));
    }
    mfm_hand_clear(&h);
}

enum { ROWS = 9 * 31 * 30, CHANNELS = 13, COUNT = ROWS * CHANNELS };

/* Enough elements for several parts, of 9 samples or of one. G leans towards DX, so that their
 * products have a sum. */
static void large(mfm_hand *h, int samples)
{
    mfm_hand_init(h, "", "BatchNormalization", 15);
    h->node.training = true;
    const mfm_key key = {.seed = 5, .stream = MFM_STREAM_TEST};
    real *x = mfm_hand_input(h, mfm_shape_of(4, samples, CHANNELS, 9 / samples * 31, 30));
    for (int i = 0; i < COUNT; i++)
        x[i] = (real)mfm_random_normal(&key, (uint64_t)i);
    for (int k = 1; k <= 4; k++) {
        real *parameter = mfm_hand_input(h, mfm_shape_of(1, CHANNELS));
        for (int c = 0; c < CHANNELS; c++)
            parameter[c] = (real)(0.5 + 0.1 * c + 0.01 * k);
    }
    CU_ASSERT_EQUAL_FATAL(mfm_hand_infer(h), MFM_OK);
    for (int i = 0; i < COUNT; i++) {
        h->inputs[0].lane[MFM_DX][i] = (real)mfm_random_normal(&key, (uint64_t)(COUNT + i));
        h->outputs[0].lane[MFM_G][i] =
            h->inputs[0].lane[MFM_DX][i] + (real)mfm_random_normal(&key, (uint64_t)(2 * COUNT + i));
        h->outputs[0].lane[MFM_DG][i] = (real)mfm_random_normal(&key, (uint64_t)(3 * COUNT + i));
    }
}

static void run(mfm_hand *h)
{
    h->node.impl->rule->forward(&h->node);
    h->node.impl->rule->jvp(&h->node);
    h->node.impl->rule->vjp(&h->node);
    h->node.impl->rule->vjp_t(&h->node);
}

static double dot(const real *a, const real *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void check_adjoint(int samples)
{
    mfm_hand h;
    large(&h, samples);
    for (int c = 0; c < CHANNELS; c++) {
        h.inputs[1].lane[MFM_DX][c] = (real)(0.3 - 0.05 * c);
        h.inputs[2].lane[MFM_DX][c] = (real)(0.1 * c);
    }
    run(&h);
    const double left = dot(h.outputs[0].lane[MFM_DX], h.outputs[0].lane[MFM_G], COUNT);
    double right = dot(h.inputs[0].lane[MFM_DX], h.inputs[0].lane[MFM_G], COUNT);
    for (int k = 1; k <= 2; k++)
        right += dot(h.inputs[k].lane[MFM_DX], h.inputs[k].lane[MFM_G], CHANNELS);
    const double size = sqrt(dot(h.outputs[0].lane[MFM_DX], h.outputs[0].lane[MFM_DX], COUNT) *
                             dot(h.outputs[0].lane[MFM_G], h.outputs[0].lane[MFM_G], COUNT));
    CU_ASSERT(fabs(left) > 0.1 * size);
    /* Both sums have COUNT terms: in double builds their own rounding is what is seen. */
    CU_ASSERT_DOUBLE_EQUAL(left / size, right / size, tolerance > 1e-12 ? tolerance : 1e-12);
    mfm_hand_clear(&h);
}

static void large_adjoint(void)
{
    check_adjoint(9);
    check_adjoint(1);
}

static void check_bits(int samples)
{
    const int threads = omp_get_max_threads();
    mfm_hand one, three;
    large(&one, samples);
    large(&three, samples);
    omp_set_num_threads(1);
    run(&one);
    omp_set_num_threads(3);
    run(&three);
    omp_set_num_threads(threads);
    for (int lane = 0; lane < MFM_LANES; lane++) {
        const size_t all = COUNT * sizeof(real), some = CHANNELS * sizeof(real);
        CU_ASSERT(!memcmp(one.outputs[0].lane[lane], three.outputs[0].lane[lane], all));
        CU_ASSERT(!memcmp(one.inputs[0].lane[lane], three.inputs[0].lane[lane], all));
        CU_ASSERT(!memcmp(one.inputs[1].lane[lane], three.inputs[1].lane[lane], some));
        CU_ASSERT(!memcmp(one.inputs[2].lane[lane], three.inputs[2].lane[lane], some));
    }
    mfm_hand_clear(&one);
    mfm_hand_clear(&three);
}

static void same_bits(void)
{
    check_bits(9);
    check_bits(1);
}

/* infer refuses, with the text in its message. */
static void refuse(mfm_hand *h, const char *text)
{
    CU_ASSERT_EQUAL(mfm_hand_infer(h), MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h->ctx), text));
    mfm_hand_clear(h);
}

static void refusals(void)
{
    static const char *const attributes[][3] = {{"epsilon", "-1", "epsilon -1"},
                                                {"epsilon", "nan", "epsilon nan"},
                                                {"momentum", "1.5", "momentum 1.5"},
                                                {"spatial", "0", "spatial 0"}};
    mfm_hand h;
    for (int i = 0; i < 4; i++) {
        small(&h, true);
        mfm_hand_set(&h, attributes[i][0], attributes[i][1]);
        refuse(&h, attributes[i][2]);
    }
    static const int ranks[] = {0, 1};
    for (int i = 0; i < 2; i++) {
        small(&h, true);
        h.inputs[0].shape = mfm_shape_of(ranks[i], 1, 1, 4, 1, 1);
        refuse(&h, "input [");
    }
    small(&h, true);
    h.inputs[0].shape.dim[0] = 0;
    refuse(&h, "input [0,1,1,2]");
    for (int k = 1; k <= 4; k++) {
        small(&h, true);
        h.inputs[k].shape = mfm_shape_of(1, 2);
        refuse(&h, "[2]: must be one number for each of 1 channels");
    }
    small(&h, true);
    h.node.n_out = 2;
    h.out[1] = &h.outputs[1];
    refuse(&h, "output mean");
}

static void unused_outputs(void)
{
    mfm_hand h;
    small(&h, true);
    h.node.n_out = 2;
    CU_ASSERT_EQUAL(h.node.op->shape(h.ctx, &h.node), MFM_OK);
    h.node.n_out = 1;
    mfm_hand_clear(&h);
}

static const mfm_case cases[] = {
    {"training normalises by the statistics of the batch", normalises_by_batch},
    {"inference normalises by the running statistics and leaves them alone", normalises_by_running},
    {"update keeps momentum of the old statistics and takes the population variance",
     running_statistics},
    {"adjoints are those worked out by hand", adjoints},
    {"shifting and stretching a channel have the derivatives that invariance asks for",
     invariances},
    {"a constant channel gives the bias and finite gradients", constant_channel},
    {"jvp and vjp are adjoint over many parts", large_adjoint},
    {"one thread and three give the same bits", same_bits},
    {"wrong attributes, shapes and used outputs are refused", refusals},
    {"absent further outputs are accepted", unused_outputs},
};
MFM_SUITE("core/engine/batch_norm", cases)
