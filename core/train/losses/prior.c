#include "core/train/losses/prior.h"

#include <math.h>

double mfm_prior(const mfm_task *task, double tau, int64_t c)
{
    return tau * log(mfm_task_count(task, c) / task->samples);
}
