/*
 * CoSen's costs by hand: three classes of 6, 3 and 1 images, features on a line.
 *
 *     class 0: 0, 1, 3        class 1: 5, 9        class 2: 4
 */
#include "core/train/losses/costs.h"

#include <math.h>

#include "tests/suite.h"

enum { CLASSES = 3, SAMPLES = 6 };

static const real features[SAMPLES] = {0, 5, 1, 4, 9, 3};
static const int labels[SAMPLES] = {0, 1, 0, 2, 1, 0};
static const double tolerance = 1e-12;

/* S_01: from 0: 1/5, from 1: 1/4, from 3: 2/2. S_02: 1/4, 1/3, 2/1. S_10: from 5: 4/2, from 9: 4/6.
 * S_12: 4/1, 4/5. Class 2 has one sample: nothing is known of its own distances. */
static const double S[CLASSES][CLASSES] = {{1, (0.2 + 0.25 + 1) / 3, (0.25 + 1.0 / 3 + 2) / 3},
                                           {(2 + 2.0 / 3) / 2, 1, (4 + 0.8) / 2},
                                           {NAN, NAN, NAN}};

typedef struct bench {
    mfm_ctx *ctx;
    mfm_task task;
    mfm_confusion confusion;
    mfm_loss_view view;
} bench;

/* Of class 0 four images, three of them right and one taken for 1; of class 1 two, one taken for 2;
 * of class 2 none. */
static void bench_init(bench *b)
{
    static const uint32_t counts[CLASSES] = {6, 3, 1};
    *b = (bench){.ctx = mfm_ctx_new(NULL)};
    CU_ASSERT_EQUAL_FATAL(mfm_task_init(b->ctx, &b->task, CLASSES, counts, CLASSES, 0), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_confusion_init(b->ctx, &b->confusion, CLASSES), MFM_OK);
    static const int seen[][2] = {{0, 0}, {0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 2}};
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        mfm_confusion_add(&b->confusion, seen[i][0], seen[i][1]);
    b->view = (mfm_loss_view){.task = &b->task,
                              .confusion = &b->confusion,
                              .features = features,
                              .labels = labels,
                              .count = SAMPLES,
                              .width = 1};
}

static void bench_clear(bench *b)
{
    mfm_confusion_clear(b->ctx, &b->confusion);
    mfm_task_clear(b->ctx, &b->task);
    mfm_ctx_free(b->ctx);
}

static void separability_is_the_mean_ratio_of_distances(void)
{
    bench b;
    bench_init(&b);
    double found[CLASSES * CLASSES];
    CU_ASSERT_EQUAL(mfm_costs_separability(b.ctx, &b.view, found), MFM_OK);
    for (int i = 0; i < CLASSES * CLASSES; i++) {
        const double expected = S[i / CLASSES][i % CLASSES];
        if (isnan(expected))
            CU_ASSERT(isnan(found[i]))
        else
            CU_ASSERT_DOUBLE_EQUAL(found[i], expected, tolerance)
    }
    bench_clear(&b);
}

static void distances_have_all_axes(void)
{
    /* (0, 0), (3, 4) of class 0, at 5 from each other; (0, 12) of class 1, 12 from the first and
     * sqrt(9 + 64) from the second. */
    static const real plane[] = {0, 0, 3, 4, 0, 12};
    static const int two[] = {0, 0, 1};
    bench b;
    bench_init(&b);
    b.view.features = plane;
    b.view.labels = two;
    b.view.count = 3;
    b.view.width = 2;
    double found[CLASSES * CLASSES];
    CU_ASSERT_EQUAL(mfm_costs_separability(b.ctx, &b.view, found), MFM_OK);
    CU_ASSERT_DOUBLE_EQUAL(found[1], (5.0 / 12 + 5 / sqrt(73)) / 2, tolerance);
    CU_ASSERT(isnan(found[2]));
    bench_clear(&b);
}

static void samples_on_top_of_each_other_are_near(void)
{
    static const real same[SAMPLES] = {2, 2, 2, 2, 2, 2};
    bench b;
    bench_init(&b);
    b.view.features = same;
    double found[CLASSES * CLASSES];
    CU_ASSERT_EQUAL(mfm_costs_separability(b.ctx, &b.view, found), MFM_OK);
    CU_ASSERT_EQUAL(found[0], 1);
    CU_ASSERT_EQUAL(found[1], 1);
    bench_clear(&b);
}

/* T by hand: H = max of the shares 0.6, 0.3, 0.1; R rows 3/4 1/4 0, then 0 1/2 1/2, then nothing.
 */
static void the_target_has_three_factors(void)
{
    static const mfm_cost_values v = {.separability_mean = 0.5,
                                      .separability_deviation = 2,
                                      .confusion_mean = 0.25,
                                      .confusion_deviation = 0.5};
    bench b;
    bench_init(&b);
    double T[CLASSES * CLASSES];
    mfm_costs_target(&b.view, &v, &S[0][0], T);
    /* 0, 0: S 1, R 3/4: exp(-(1/2)^2 / 8) exp(-(1/2)^2 / 0.5) */
    CU_ASSERT_DOUBLE_EQUAL(T[0], 0.6 * exp(-0.25 / 8 - 0.25 / 0.5), tolerance);
    /* 0, 1: R 1/4, at its mean */
    CU_ASSERT_DOUBLE_EQUAL(T[1], 0.6 * exp(-pow(1.45 / 3 - 0.5, 2) / 8), tolerance);
    /* 1, 0: the larger share; R 0 */
    CU_ASSERT_DOUBLE_EQUAL(T[3], 0.6 * exp(-pow(4.0 / 3 - 0.5, 2) / 8 - 0.0625 / 0.5), tolerance);
    CU_ASSERT_DOUBLE_EQUAL(T[4], 0.3 * exp(-0.25 / 8 - 0.0625 / 0.5), tolerance);
    CU_ASSERT_DOUBLE_EQUAL(T[5], 0.3 * exp(-pow(2.4 - 0.5, 2) / 8 - 0.0625 / 0.5), tolerance);
    /* of class 2 nothing is known but its share */
    CU_ASSERT_DOUBLE_EQUAL(T[6], 0.6, tolerance);
    CU_ASSERT_DOUBLE_EQUAL(T[7], 0.3, tolerance);
    CU_ASSERT_DOUBLE_EQUAL(T[8], 0.1, tolerance);
    bench_clear(&b);
}

/* xi + 2 rate (T - xi), against differences of |T - xi|^2, and within (0, 1]. */
static void costs_step_along_the_gradient(void)
{
    static const mfm_cost_values v = {.rate = 0.125};
    static const double T[4] = {0.5, 0.25, 3, -30};
    real xi[4] = {1, 0.5, 1, 0.5};
    const double h = 1e-4;
    for (int i = 0; i < 2; i++) {
        const double x = (double)xi[i];
        const double slope = (pow(T[i] - x - h, 2) - pow(T[i] - x + h, 2)) / (2 * h);
        const double expected = i == 0 ? 0.875 : 0.4375;
        CU_ASSERT_DOUBLE_EQUAL(x - v.rate * slope, expected, 1e-9);
    }
    mfm_costs_step(&v, 2, T, xi);
    CU_ASSERT_EQUAL(xi[0], (real)0.875);
    CU_ASSERT_EQUAL(xi[1], (real)0.4375);
    CU_ASSERT_EQUAL(xi[2], 1);
    CU_ASSERT(xi[3] > 0 && xi[3] < (real)1e-5);
}

static const mfm_case cases[] = {
    {"separability is the mean ratio of distances", separability_is_the_mean_ratio_of_distances},
    {"distances have all axes", distances_have_all_axes},
    {"samples on top of each other are near", samples_on_top_of_each_other_are_near},
    {"the target has three factors", the_target_has_three_factors},
    {"costs step along the gradient and stay within 0 and 1", costs_step_along_the_gradient},
};
MFM_SUITE("core/train/costs", cases)
