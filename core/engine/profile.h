/*
 * Where the time of plans goes: an observer that adds up each pass, and each node in each pass.
 */
#ifndef MFM_PROFILE_H
#define MFM_PROFILE_H

#include "core/engine/observe.h"

typedef struct mfm_profile_sum {
    uint64_t calls, nanoseconds;
} mfm_profile_sum;

/* One pass of one plan. */
typedef struct mfm_profile_pass {
    const mfm_plan *plan;
    int pass;
    mfm_profile_sum whole;
    mfm_profile_sum *nodes; /* mfm_plan_nodes(plan); calls 0: not in this pass */
} mfm_profile_pass;

typedef struct mfm_profile {
    mfm_ctx *ctx;
    mfm_observer observer;
    mfm_profile_pass *passes; /* in the order in which they first ended */
    size_t n_passes, capacity;
    int status; /* of the first failure: from then on nothing is added */
} mfm_profile;

/* Observes the context's plans until the end. The plans must outlive the profile. */
void mfm_profile_begin(mfm_ctx *ctx, mfm_profile *profile);
int mfm_profile_end(mfm_profile *profile);
/* After mfm_profile_end. */
void mfm_profile_clear(mfm_profile *profile);

#endif
