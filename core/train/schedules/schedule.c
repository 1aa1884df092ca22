#include "core/train/schedules/schedule.h"

#include <string.h>

#define MFM_SCHEDULE(name) extern const mfm_schedule_kind mfm_schedule_##name;
#include "core/train/schedules/schedules.def"
#include "extra/schedules.def"
#undef MFM_SCHEDULE

#define MFM_SCHEDULE(name) &mfm_schedule_##name,
const mfm_schedule_kind *const mfm_schedules[] = {
#include "core/train/schedules/schedules.def"
#include "extra/schedules.def"
    NULL};
#undef MFM_SCHEDULE

const mfm_schedule_kind *mfm_schedule_find(const char *name)
{
    for (int i = 0; mfm_schedules[i]; i++)
        if (strcmp(mfm_schedules[i]->name, name) == 0)
            return mfm_schedules[i];
    return NULL;
}

double mfm_schedule_lr(const mfm_schedule *s, uint64_t epoch)
{
    const mfm_schedule_kind *kind = s->kind ? s->kind : mfm_schedules[0];
    const mfm_settings *settings = kind->settings[0];
    const void *values = settings ? mfm_values_of(s->chosen, settings) : NULL;
    const double lr = kind->lr(values, s->base, epoch, s->epochs);
    return epoch < s->warmup ? lr * (double)(epoch + 1) / (double)s->warmup : lr;
}
