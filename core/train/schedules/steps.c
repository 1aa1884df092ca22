/* base * factor at the first milestone, * factor again at each further one. */
#include "core/train/training.h"

static const mfm_steps_values defaults = {.factor = 0.1,
                                          .milestones = {.item = {160, 180}, .count = 2}};

/* No milestone lies within the run. */
static const char *none_reached(const void *values, const mfm_run_facts *run)
{
    const mfm_steps_values *v = values;
    for (int i = 0; i < v->milestones.count; i++)
        if (v->milestones.item[i] < run->options->epochs)
            return NULL;
    return v->milestones.count ? "the run ends before the first milestone" : "no milestones";
}

static const char *milestones_not_reached(const void *values, const mfm_run_facts *run)
{
    const mfm_steps_values *v = values;
    return v->milestones.count ? none_reached(values, run) : NULL;
}

static const mfm_option table[] = {
    {.name = "milestones",
     .kind = MFM_OPTION_UINTS,
     .value = "N,...",
     .offset = offsetof(mfm_steps_values, milestones),
     .idle = milestones_not_reached,
     .help = "epochs after which the learning rate decays"},
    {.name = "lr-decay",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1,
     .offset = offsetof(mfm_steps_values, factor),
     .idle = none_reached,
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
