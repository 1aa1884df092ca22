#include "tools/options/groups/reproducible_option.h"

const char *const mfm_reproducible_names[] = {
    [MFM_REPRODUCIBLE_THREADS] = "threads", [MFM_REPRODUCIBLE_OFF] = "off", NULL};
