/* Figures worked out by hand. */
#include "core/report/confusion.h"

#include <math.h>

#include "tests/suite.h"

enum { CLASSES = 4 };

/* Class 0: 3 of 4 right; class 1: 1 of 2; class 2: no images; class 3: 0 of 2. */
static void fill(mfm_ctx *ctx, mfm_confusion *confusion)
{
    static const int seen[][2] = {{0, 0}, {0, 0}, {0, 0}, {0, 2}, {1, 1}, {1, 2}, {3, 0}, {3, 2}};
    CU_ASSERT_EQUAL_FATAL(mfm_confusion_init(ctx, confusion, CLASSES), MFM_OK);
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        mfm_confusion_add(confusion, seen[i][0], seen[i][1]);
}

static void recalls_are_those_of_classes_with_images(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_confusion confusion;
    fill(ctx, &confusion);
    CU_ASSERT_EQUAL(mfm_confusion_error(&confusion), 50);
    CU_ASSERT_EQUAL(mfm_confusion_recall(&confusion, 0), 75);
    CU_ASSERT_EQUAL(mfm_confusion_recall(&confusion, 1), 50);
    CU_ASSERT(isnan(mfm_confusion_recall(&confusion, 2)));
    CU_ASSERT_EQUAL(mfm_confusion_recall(&confusion, 3), 0);
    mfm_confusion_clear(ctx, &confusion);
    mfm_ctx_free(ctx);
}

/* (75 + 50 + 0) / 3, (50 + nothing) / 1, nothing at all. */
static void means_leave_classes_without_images_out(void)
{
    static const bool middle[CLASSES] = {false, true, true, false},
                      empty[CLASSES] = {false, false, true, false};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_confusion confusion;
    int classes;
    fill(ctx, &confusion);
    CU_ASSERT_DOUBLE_EQUAL(mfm_confusion_mean_recall(&confusion, NULL, &classes), 125 / 3.0, 1e-12);
    CU_ASSERT_EQUAL(classes, 3);
    CU_ASSERT_EQUAL(mfm_confusion_mean_recall(&confusion, middle, &classes), 50);
    CU_ASSERT_EQUAL(classes, 1);
    CU_ASSERT(isnan(mfm_confusion_mean_recall(&confusion, empty, &classes)));
    CU_ASSERT_EQUAL(classes, 0);
    mfm_confusion_reset(&confusion);
    CU_ASSERT(isnan(mfm_confusion_error(&confusion)));
    CU_ASSERT(isnan(mfm_confusion_mean_recall(&confusion, NULL, &classes)));
    mfm_confusion_clear(ctx, &confusion);
    mfm_ctx_free(ctx);
}

/* 100 - (75 + 50 + 0) / 3 where half of the images is wrong; with 2 images of each class, 5 of 8
 * wrong, both are one number. */
static void classes_count_the_same_in_the_balanced_error(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_confusion confusion;
    fill(ctx, &confusion);
    CU_ASSERT_DOUBLE_EQUAL(mfm_confusion_balanced_error(&confusion), 175 / 3.0, 1e-12);
    mfm_confusion_reset(&confusion);
    CU_ASSERT(isnan(mfm_confusion_balanced_error(&confusion)));
    for (int c = 0; c < CLASSES - 1; c++)
        for (int i = 0; i < 2; i++)
            mfm_confusion_add(&confusion, c, i ? c : 3);
    mfm_confusion_add(&confusion, 3, 0);
    mfm_confusion_add(&confusion, 3, 1);
    CU_ASSERT_EQUAL(mfm_confusion_balanced_error(&confusion), 62.5);
    CU_ASSERT_EQUAL(mfm_confusion_error(&confusion), 62.5);
    mfm_confusion_clear(ctx, &confusion);
    mfm_ctx_free(ctx);
}

/* Recalls 75, 50 and 0: 0; without class 3 the root of 75 * 50; nothing of nothing. */
static void the_geometric_mean_falls_with_the_worst(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_confusion confusion;
    fill(ctx, &confusion);
    CU_ASSERT_EQUAL(mfm_confusion_geometric_mean(&confusion), 0);
    confusion.count[3 * CLASSES] = confusion.count[3 * CLASSES + 2] = 0;
    CU_ASSERT_DOUBLE_EQUAL(mfm_confusion_geometric_mean(&confusion), sqrt(3750), 1e-12);
    mfm_confusion_reset(&confusion);
    CU_ASSERT(isnan(mfm_confusion_geometric_mean(&confusion)));
    mfm_confusion_clear(ctx, &confusion);
    mfm_ctx_free(ctx);
}

/* One more image of class 1, undecided: 1 of 3 right, 5 of 9 wrong. */
static void what_is_undecided_is_wrong(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_confusion confusion;
    fill(ctx, &confusion);
    CU_ASSERT_EQUAL(mfm_confusion_undecided(&confusion), 0);
    mfm_confusion_add(&confusion, 1, -1);
    CU_ASSERT_EQUAL(mfm_confusion_undecided(&confusion), 1);
    CU_ASSERT_EQUAL(mfm_confusion_class_images(&confusion, 1), 3);
    CU_ASSERT_DOUBLE_EQUAL(mfm_confusion_recall(&confusion, 1), 100 / 3.0, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(mfm_confusion_error(&confusion), 500 / 9.0, 1e-12);
    mfm_confusion_reset(&confusion);
    CU_ASSERT_EQUAL(mfm_confusion_undecided(&confusion), 0);
    mfm_confusion_clear(ctx, &confusion);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"recalls are those of classes with images", recalls_are_those_of_classes_with_images},
    {"means leave classes without images out", means_leave_classes_without_images_out},
    {"classes count the same in the balanced error", classes_count_the_same_in_the_balanced_error},
    {"the geometric mean falls with the worst", the_geometric_mean_falls_with_the_worst},
    {"what is undecided is wrong", what_is_undecided_is_wrong},
};

MFM_SUITE("core/report/confusion", cases)
