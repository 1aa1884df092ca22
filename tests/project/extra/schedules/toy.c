/* Half the rate each epoch. */
#include <math.h>

#include "core/train/schedules/schedule.h"

static double lr(const void *values, double base, uint64_t epoch, uint64_t epochs)
{
    (void)values, (void)epochs;
    return base * pow(0.5, (double)epoch);
}

const mfm_schedule_kind mfm_schedule_toy = {
    .name = "toy", .summary = "half of it each epoch", .lr = lr};
