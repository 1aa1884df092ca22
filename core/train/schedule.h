/* Step decay of the learning rate. */
#ifndef MFM_SCHEDULE_H
#define MFM_SCHEDULE_H

#include <stdint.h>

enum { MFM_MAX_MILESTONES = 16 };

/* lr(epoch) = base * factor^(number of milestones <= epoch), epochs counted from 0. */
typedef struct mfm_schedule {
    double base, factor;
    uint32_t milestones[MFM_MAX_MILESTONES];
    int n_milestones;
} mfm_schedule;

double mfm_schedule_lr(const mfm_schedule *schedule, uint64_t epoch);

#endif
