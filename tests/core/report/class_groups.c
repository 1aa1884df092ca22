#include "core/report/class_groups.h"

#include <math.h>

#include "tests/suite.h"

enum { CLASSES = 6 };

static const uint32_t train[CLASSES] = {101, 100, 20, 19, 0, 500};
static const double recall[CLASSES] = {90, 80, 40, 10, NAN, 70};

static void expect(const mfm_class_borders *borders, enum mfm_class_group group, double mean,
                   int classes, int tested)
{
    int all, known;
    const double got = mfm_class_group_mean(borders, recall, train, CLASSES, group, &all, &known);
    CU_ASSERT(isnan(mean) ? isnan(got) : got == mean);
    CU_ASSERT_EQUAL(all, classes);
    CU_ASSERT_EQUAL(known, tested);
}

/* (90 + 70) / 2; (80 + 40) / 2; 10, the class without test images left out. */
static void borders_belong_to_the_medium_classes(void)
{
    expect(&mfm_class_borders_default, MFM_MANY, 80, 2, 2);
    expect(&mfm_class_borders_default, MFM_MEDIUM, 60, 2, 2);
    expect(&mfm_class_borders_default, MFM_FEW, 10, 2, 1);
}

static void borders_can_be_set(void)
{
    const mfm_class_borders own = {.medium = 101, .many = 101}, all = {.medium = 0, .many = 0};
    expect(&own, MFM_MANY, 70, 1, 1);
    expect(&own, MFM_MEDIUM, 90, 1, 1);
    expect(&own, MFM_FEW, 130 / 3.0, 4, 3);
    expect(&all, MFM_MEDIUM, NAN, 1, 0);
    expect(&all, MFM_FEW, NAN, 0, 0);
}

/* Class 0: 1 of 2, class 1: none, class 2: 3 of 3. Counted are only the first two. */
static void recalls_of_a_confusion_are_grouped(void)
{
    static const int seen[][2] = {{0, 0}, {0, 1}, {2, 2}, {2, 2}, {2, 2}};
    static const uint32_t images[3] = {30, 30, 30};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_confusion confusion;
    int classes, tested;
    CU_ASSERT_EQUAL_FATAL(mfm_confusion_init(ctx, &confusion, 3), MFM_OK);
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        mfm_confusion_add(&confusion, seen[i][0], seen[i][1]);
    CU_ASSERT_EQUAL(mfm_class_group_recall(&mfm_class_borders_default, &confusion, images, 3,
                                           MFM_MEDIUM, &classes, &tested),
                    75);
    CU_ASSERT(classes == 3 && tested == 2);
    CU_ASSERT_EQUAL(mfm_class_group_recall(&mfm_class_borders_default, &confusion, images, 2,
                                           MFM_MEDIUM, &classes, &tested),
                    50);
    CU_ASSERT(classes == 2 && tested == 1);
    mfm_confusion_clear(ctx, &confusion);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"borders belong to the medium classes", borders_belong_to_the_medium_classes},
    {"borders can be set", borders_can_be_set},
    {"recalls of a confusion are grouped", recalls_of_a_confusion_are_grouped},
};

MFM_SUITE("core/report/class_groups", cases)
