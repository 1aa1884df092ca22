/* Predictions worked out by hand. */
#include "core/train/batch_size.h"
#include "core/train/evaluate.h"
#include "core/train/problem/split_network.h"

#include <math.h>
#include <string.h>

#include "tests/core/train/support/hand_network.h"

enum { IMAGES = 4, PLACES = 9 };

/* Every place of an image is (a, b); logits are (a, b, (a + b) / 2, -a - b), a tie goes to the
 * first class:       a, b    logits            predicted    true    cross-entropy 1, 0    1, 0,
 * 1/2, -1     0            0       ln(e + 1 + sqrt e + 1/e) - 1 = 0.746567 0, 1    0, 1, 1/2, -1 1
 * 1       0.746567 1, 1    1, 1, 1, -2       0            2       ln(3 e + 1/e^2) - 1 = 1.115071 0,
 * 0    0, 0, 0, 0        0            3       ln 4 = 1.386294 */
static const uint8_t bytes[IMAGES][2] = {{255, 0}, {0, 255}, {255, 255}, {0, 0}};
static const real weights[HAND_CLASSES * 2] = {1, 0, 0, 1, 0.5, 0.5, -1, -1};
static const double mean_loss = (2 * 0.746567 + 1.115071 + 1.386294) / 4;

typedef struct bench {
    hand h;
    mfm_problem *problem;
    mfm_dataset dataset;
    uint8_t pixels[IMAGES * PLACES * 2];
    uint16_t labels[IMAGES];
    mfm_preprocess preprocess;
} bench;

static void must(const bench *b, int status)
{
    if (status)
        printf("\n    %s\n", mfm_message(b->h.ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
}

static void bench_init(bench *b)
{
    memset(b, 0, sizeof *b);
    hand_start(&b->h);
    const int pool = network_node(&b->h, "pool", "GlobalAveragePool", b->h.network->images, -1, -1);
    const int flat = network_node(&b->h, "flat", "Flatten", pool, -1, -1);
    b->h.network->logits = hand_linear(&b->h, "fc", flat, 2, HAND_CLASSES);
    must(b, mfm_problem_plain(b->h.ctx, b->h.network, NULL, &b->problem));
    memcpy(b->problem->main->params, weights, sizeof weights);
    for (int i = 0; i < IMAGES; i++) {
        b->labels[i] = (uint16_t)i;
        for (int k = 0; k < PLACES * 2; k++)
            b->pixels[i * PLACES * 2 + k] = bytes[i][k % 2];
    }
    b->dataset = (mfm_dataset){.height = 3,
                               .width = 3,
                               .channels = 2,
                               .classes = HAND_CLASSES,
                               .deviation = {1, 1},
                               .test = {.count = IMAGES, .pixels = b->pixels, .labels = b->labels}};
    /* Augmentation is for training: evaluation must not see it. */
    mfm_augment augment;
    must(b, mfm_augment_read(b->h.ctx, "shift:1,flip", MFM_BORDER_ZERO, &augment));
    must(b, mfm_preprocess_init(b->h.ctx, &b->dataset, 2, 3, 3, false, NULL, &augment,
                                &b->preprocess));
}

static void bench_clear(bench *b)
{
    mfm_problem_free(b->problem);
    hand_clear(&b->h);
}

static void check_batch(int64_t batch)
{
    bench b;
    bench_init(&b);
    mfm_evaluator *evaluator;
    mfm_confusion confusion;
    double loss = 0;
    must(&b, mfm_evaluator_new(b.h.ctx, b.problem, &b.preprocess, batch, &evaluator));
    must(&b, mfm_confusion_init(b.h.ctx, &confusion, HAND_CLASSES));
    for (int twice = 0; twice < 2; twice++) {
        mfm_evaluate(evaluator, &b.dataset.test, b.problem->main->params, b.problem->main->state,
                     NULL, &confusion, &loss);
        CU_ASSERT_DOUBLE_EQUAL(loss, mean_loss, 2e-6);
        CU_ASSERT_EQUAL(confusion.images, IMAGES);
        CU_ASSERT_EQUAL(mfm_confusion_error(&confusion), 50);
        static const uint32_t expected[HAND_CLASSES * HAND_CLASSES] = {1, 0, 0, 0, 0, 1, 0, 0,
                                                                       1, 0, 0, 0, 1, 0, 0, 0};
        CU_ASSERT_EQUAL(memcmp(confusion.count, expected, sizeof expected), 0);
    }
    mfm_confusion_clear(b.h.ctx, &confusion);
    mfm_evaluator_free(evaluator);
    bench_clear(&b);
}

static void test_batches(void)
{
    for (int64_t batch = 1; batch <= IMAGES + 1; batch++)
        check_batch(batch);
}

/* Of the images 3, 2 and 0 (in this order) only the last is right. */
static void test_some(void)
{
    static const uint32_t some[] = {3, 2, 0};
    bench b;
    bench_init(&b);
    mfm_evaluator *evaluator;
    mfm_confusion confusion;
    double loss = 0;
    must(&b, mfm_evaluator_new(b.h.ctx, b.problem, &b.preprocess, 2, &evaluator));
    must(&b, mfm_confusion_init(b.h.ctx, &confusion, HAND_CLASSES));
    must(&b, mfm_evaluate_some(evaluator, &b.dataset.test, some, 3, b.problem->main->params,
                               b.problem->main->state, NULL, &confusion, &loss));
    CU_ASSERT_DOUBLE_EQUAL(loss, (1.386294 + 1.115071 + 0.746567) / 3, 2e-6);
    CU_ASSERT_EQUAL(confusion.images, 3);
    CU_ASSERT_DOUBLE_EQUAL(mfm_confusion_error(&confusion), 200 / 3.0, 1e-12);
    mfm_confusion_clear(b.h.ctx, &confusion);
    mfm_evaluator_free(evaluator);
    bench_clear(&b);
}

static void keep_warning(void *self, const char *line)
{
    snprintf(self, 200, "%s", line);
}

/* The first logit is a times infinity: no number where a = 0, the largest elsewhere. */
static void test_not_numbers(void)
{
    bench b;
    bench_init(&b);
    mfm_evaluator *evaluator;
    mfm_confusion confusion;
    double loss = 0;
    char warning[200] = "";
    mfm_ctx_on_warning(b.h.ctx, keep_warning, warning);
    b.problem->main->params[0] = INFINITY;
    must(&b, mfm_evaluator_new(b.h.ctx, b.problem, &b.preprocess, 3, &evaluator));
    must(&b, mfm_confusion_init(b.h.ctx, &confusion, HAND_CLASSES));
    mfm_evaluate(evaluator, &b.dataset.test, b.problem->main->params, b.problem->main->state, NULL,
                 &confusion, &loss);
    CU_ASSERT(!isfinite(loss));
    CU_ASSERT_EQUAL(mfm_confusion_error(&confusion), 75);
    CU_ASSERT_EQUAL(mfm_confusion_undecided(&confusion), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "2 of 4 images are not numbers"));
    mfm_confusion_clear(b.h.ctx, &confusion);
    mfm_evaluator_free(evaluator);
    bench_clear(&b);
}

static void test_no_images(void)
{
    bench b;
    bench_init(&b);
    mfm_evaluator *evaluator;
    mfm_confusion confusion;
    double loss = 1;
    must(&b, mfm_evaluator_new(b.h.ctx, b.problem, &b.preprocess, 2, &evaluator));
    must(&b, mfm_confusion_init(b.h.ctx, &confusion, HAND_CLASSES));
    mfm_evaluate(evaluator, &b.dataset.train, b.problem->main->params, b.problem->main->state, NULL,
                 &confusion, &loss);
    CU_ASSERT(isnan(loss));
    CU_ASSERT_EQUAL(confusion.images, 0);
    mfm_confusion_clear(b.h.ctx, &confusion);
    mfm_evaluator_free(evaluator);
    bench_clear(&b);
}

/* 2e10 multiplications are a second's: VGG-11 on 224 x 224 has 7.6e9 for each image. */
static void test_batch_size(void)
{
    bench b;
    bench_init(&b);
    int64_t batch;
    must(&b, mfm_evaluation_batch(b.h.ctx, b.problem, NULL, &batch));
    CU_ASSERT_EQUAL(batch, 100);
    bench_clear(&b);
    CU_ASSERT_EQUAL(mfm_batch_size(0, 1000), 100);
    CU_ASSERT_EQUAL(mfm_batch_size(0, 7), 7);
    CU_ASSERT_EQUAL(mfm_batch_size(7600000000, 1000), 2);
    CU_ASSERT_EQUAL(mfm_batch_size(200000000, 1000), 100);
    CU_ASSERT_EQUAL(mfm_batch_size(1000000000000, 1000), 1);
}

static const mfm_case cases[] = {
    {"loss and confusion are right for every batch size, also one that does not divide",
     test_batches},
    {"some of the images, in their own order, are evaluated", test_some},
    {"outputs that are not numbers are no prediction, and a warning says so", test_not_numbers},
    {"no images give no loss", test_no_images},
    {"a batch is no more than a second is enough for", test_batch_size},
};

MFM_SUITE("core/train/evaluate", cases)
