#include "core/train/schedule.h"

#include "tests/suite.h"

static void test_steps(void)
{
    const mfm_schedule s = {.base = 8, .factor = 0.25, .milestones = {2, 5}, .n_milestones = 2};
    const double expected[] = {8, 8, 2, 2, 2, 0.5, 0.5};
    for (uint64_t epoch = 0; epoch < 7; epoch++)
        CU_ASSERT_EQUAL(mfm_schedule_lr(&s, epoch), expected[epoch]);
    CU_ASSERT_EQUAL(mfm_schedule_lr(&s, UINT64_MAX), 0.5);
}

static void test_constant(void)
{
    const mfm_schedule s = {.base = 0.1, .factor = 0.1};
    CU_ASSERT_EQUAL(mfm_schedule_lr(&s, 0), 0.1);
    CU_ASSERT_EQUAL(mfm_schedule_lr(&s, 1000), 0.1);
}

static void test_order(void)
{
    const mfm_schedule s = {.base = 1, .factor = 0.5, .milestones = {7, 3, 3}, .n_milestones = 3};
    CU_ASSERT_EQUAL(mfm_schedule_lr(&s, 2), 1);
    CU_ASSERT_EQUAL(mfm_schedule_lr(&s, 3), 0.25); /* the same milestone twice counts twice */
    CU_ASSERT_EQUAL(mfm_schedule_lr(&s, 7), 0.125);
}

static const mfm_case cases[] = {
    {"each milestone multiplies the rate, from its own epoch on", test_steps},
    {"without milestones the rate stays", test_constant},
    {"milestones count in any order", test_order},
};

MFM_SUITE("core/train/schedule", cases)
