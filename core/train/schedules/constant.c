/* The same rate throughout. */
#include "core/train/schedules/schedule.h"

static double lr(const void *values, double base, uint64_t epoch, uint64_t epochs)
{
    (void)values, (void)epoch, (void)epochs;
    return base;
}

const mfm_schedule_kind mfm_schedule_constant = {
    .name = "constant",
    .summary = "the same throughout",
    .lr = lr,
};
