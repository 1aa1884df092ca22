/* base * factor at the first milestone, * factor again at each further one. */
#include "core/train/schedules/schedule.h"

static const mfm_steps_values defaults = {.factor = 0.1,
                                          .milestones = {.item = {160, 180}, .count = 2}};
static const mfm_option table[] = {
    {.name = "milestones",
     .kind = MFM_OPTION_UINTS,
     .value = "N,...",
     .offset = offsetof(mfm_steps_values, milestones),
     .help = "epochs after which the learning rate decays"},
    {.name = "lr-decay",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1,
     .offset = offsetof(mfm_steps_values, factor),
     .help = "factor of the decay"},
};
const mfm_settings mfm_steps_settings = MFM_SETTINGS("Steps of the learning rate", table, defaults);

static double lr(const void *values, double base, uint64_t epoch, uint64_t epochs)
{
    (void)epochs;
    const mfm_steps_values *v = values;
    double rate = base;
    for (int i = 0; i < v->milestones.count; i++)
        if (epoch >= v->milestones.item[i])
            rate *= v->factor;
    return rate;
}

const mfm_schedule_kind mfm_schedule_steps = {
    .name = "steps",
    .summary = "down by a factor at each milestone",
    .settings = {&mfm_steps_settings},
    .lr = lr,
};
