/* What the method base lets be chosen. */
#ifndef MFM_METHOD_BASE_H
#define MFM_METHOD_BASE_H

#include <stdbool.h>

#include "core/base/option.h"

typedef struct mfm_base_values {
    bool less_memory; /* values that cost one sweep are made anew, not kept */
} mfm_base_values;
extern const mfm_settings mfm_base_settings;

#endif
