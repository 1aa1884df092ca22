#include "core/train/schedule.h"

double mfm_schedule_lr(const mfm_schedule *schedule, uint64_t epoch)
{
    double lr = schedule->base;
    for (int i = 0; i < schedule->n_milestones; i++)
        if (epoch >= schedule->milestones[i])
            lr *= schedule->factor;
    return lr;
}
