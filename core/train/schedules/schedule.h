/*
 * The learning rate by epoch. Adding a schedule: a file in schedules/ that defines
 * `const mfm_schedule_kind mfm_schedule_NAME`, and a line in schedules/schedules.def.
 *
 * Any schedule may begin with a warm-up: epoch e < warmup, from 0, has (e + 1) / warmup of the rate
 * that the schedule gives.
 */
#ifndef MFM_SCHEDULE_H
#define MFM_SCHEDULE_H

#include "core/base/linkage.h"
#include "core/base/option.h"

MFM_C_BEGIN

typedef struct mfm_schedule_kind {
    const char *name;
    const char *summary;
    const mfm_settings *settings[2]; /* ended by NULL */
    bool needs_end;                  /* the rate depends on the number of epochs */
    /* The rate of an epoch, from 0, of `epochs`: base is the rate at the start. */
    double (*lr)(const void *values, double base, uint64_t epoch, uint64_t epochs);
} mfm_schedule_kind;

/* Ended by NULL; the first, steps, is what holds when nothing is chosen. */
extern const mfm_schedule_kind *const mfm_schedules[];
const mfm_schedule_kind *mfm_schedule_find(const char *name);

typedef struct mfm_schedule {
    double base;
    const mfm_schedule_kind *kind; /* NULL: steps */
    const mfm_chosen *chosen;      /* NULL: the defaults */
    uint64_t epochs, warmup;
} mfm_schedule;

double mfm_schedule_lr(const mfm_schedule *schedule, uint64_t epoch);

/* Values of the schedule `steps`: lr = base * factor^(number of milestones <= epoch). */
typedef struct mfm_steps_values {
    double factor;
    mfm_uints milestones;
} mfm_steps_values;
extern const mfm_settings mfm_steps_settings;

MFM_C_END

#endif
