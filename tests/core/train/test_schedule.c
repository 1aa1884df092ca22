#include "core/train/schedules/schedule.h"

#include <math.h>

#include "tests/suite.h"

/* A schedule of steps, with what it was chosen of. */
typedef struct steps {
    mfm_steps_values values;
    mfm_chosen chosen[2];
    mfm_schedule schedule;
} steps;

static mfm_schedule *steps_of(steps *s, double base, double factor, mfm_uints milestones)
{
    s->values = (mfm_steps_values){factor, milestones};
    s->chosen[0] = (mfm_chosen){&mfm_steps_settings, &s->values};
    s->chosen[1] = (mfm_chosen){NULL, NULL};
    s->schedule = (mfm_schedule){.base = base, .chosen = s->chosen};
    return &s->schedule;
}

static void decay_sets_in_at_each_milestone(void)
{
    steps room;
    const mfm_schedule *s = steps_of(&room, 8, 0.25, (mfm_uints){{2, 5}, 2});
    const double expected[] = {8, 8, 2, 2, 2, 0.5, 0.5};
    for (uint64_t epoch = 0; epoch < sizeof expected / sizeof expected[0]; epoch++)
        CU_ASSERT_EQUAL(mfm_schedule_lr(s, epoch), expected[epoch]);
    CU_ASSERT_EQUAL(mfm_schedule_lr(s, UINT64_MAX), 0.5);
}

static void without_milestones_the_rate_stays(void)
{
    steps room;
    const mfm_schedule *s = steps_of(&room, 0.1, 0.1, (mfm_uints){.count = 0});
    CU_ASSERT_EQUAL(mfm_schedule_lr(s, 0), 0.1);
    CU_ASSERT_EQUAL(mfm_schedule_lr(s, 1000), 0.1);
    const mfm_schedule constant = {.base = 0.1, .kind = mfm_schedule_find("constant")};
    CU_ASSERT_EQUAL(mfm_schedule_lr(&constant, 1000), 0.1);
}

static void milestones_need_no_order(void)
{
    steps room;
    const mfm_schedule *s = steps_of(&room, 1, 0.5, (mfm_uints){{7, 3, 3}, 3});
    CU_ASSERT_EQUAL(mfm_schedule_lr(s, 2), 1);
    CU_ASSERT_EQUAL(mfm_schedule_lr(s, 3), 0.25); /* the same milestone twice counts twice */
    CU_ASSERT_EQUAL(mfm_schedule_lr(s, 7), 0.125);
}

static void steps_decay_at_160_and_180_when_nothing_is_chosen(void)
{
    const mfm_schedule s = {.base = 1};
    CU_ASSERT_EQUAL(mfm_schedule_lr(&s, 159), 1);
    CU_ASSERT_DOUBLE_EQUAL(mfm_schedule_lr(&s, 160), 0.1, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(mfm_schedule_lr(&s, 180), 0.01, 1e-15);
}

/* Of 6 epochs: 1 + cos of 0, 30, 60, 90, 120 and 150 degrees, over 2. */
static void a_cosine_falls_from_the_rate_towards_zero(void)
{
    const mfm_schedule s = {.base = 2, .kind = mfm_schedule_find("cosine"), .epochs = 6};
    const double root = sqrt(3) / 2, expected[] = {2, 1 + root, 1.5, 1, 0.5, 1 - root, 0, 0};
    for (uint64_t epoch = 0; epoch < sizeof expected / sizeof expected[0]; epoch++)
        CU_ASSERT_DOUBLE_EQUAL(mfm_schedule_lr(&s, epoch), expected[epoch], 1e-15);
}

/* LDAM's code: epochs counted from 1 up to 5 have lr epoch / 5. */
static void a_warm_up_rises_to_the_rate_in_equal_steps(void)
{
    const mfm_schedule s = {.base = 0.5, .warmup = 5};
    const double expected[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.5};
    for (uint64_t epoch = 0; epoch < sizeof expected / sizeof expected[0]; epoch++)
        CU_ASSERT_DOUBLE_EQUAL(mfm_schedule_lr(&s, epoch), expected[epoch], 1e-15);
}

static const mfm_case cases[] = {
    {"decay sets in at each milestone", decay_sets_in_at_each_milestone},
    {"without milestones the rate stays", without_milestones_the_rate_stays},
    {"milestones need no order", milestones_need_no_order},
    {"steps decay at 160 and 180 when nothing is chosen",
     steps_decay_at_160_and_180_when_nothing_is_chosen},
    {"a cosine falls from the rate towards zero", a_cosine_falls_from_the_rate_towards_zero},
    {"a warm-up rises to the rate in equal steps", a_warm_up_rises_to_the_rate_in_equal_steps},
};
MFM_SUITE("core/train/schedule", cases)
