/* Loshchilov and Hutter, ICLR 2017, equation 5 without restarts, once an epoch:
 *     last + (base - last) (1 + cos(pi e / epochs)) / 2,    e = 0 .. epochs - 1. */
#include <math.h>

#include "core/train/schedules/schedule.h"

typedef struct cosine_values {
    double last;
} cosine_values;

static const cosine_values defaults = {.last = 0};
static const mfm_option table[] = {{.name = "lr-last",
                                    .kind = MFM_OPTION_REAL,
                                    .value = "X",
                                    .max = 1e6,
                                    .offset = offsetof(cosine_values, last),
                                    .help = "learning rate that the run ends near"}};
static const mfm_settings settings = MFM_SETTINGS("Cosine of the learning rate", table, defaults);

static double lr(const void *values, double base, uint64_t epoch, uint64_t epochs)
{
    const double last = ((const cosine_values *)values)->last;
    const double share = epoch < epochs ? (double)epoch / (double)epochs : 1;
    return last + (base - last) * (1 + cos(M_PI * share)) / 2;
}

const mfm_schedule_kind mfm_schedule_cosine = {
    .name = "cosine",
    .summary = "along half a cosine from --lr to --lr-last",
    .settings = {&settings},
    .needs_end = true,
    .lr = lr,
};
