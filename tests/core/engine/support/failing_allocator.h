/* An allocator that refuses its n-th request, and that one alone: code that goes on as if nothing
 * had happened is found out. */
#ifndef MFM_FAILING_ALLOCATOR_H
#define MFM_FAILING_ALLOCATOR_H

#include <stddef.h>

#include "core/base/context.h"

typedef struct mfm_failing {
    size_t refuse_at; /* the request, counted from 0 */
    size_t requests;
    size_t alive; /* blocks given and not yet taken back */
    size_t refused;
} mfm_failing;

/* The allocator counts in *failing, which must outlive it. */
mfm_allocator mfm_failing_allocator(mfm_failing *failing);

/* One attempt: 0 or a status, everything it made released again. */
typedef int mfm_attempt_fn(mfm_ctx *ctx, void *self);

/* Makes the attempt again and again, each time with its next request refused, until it makes no
 * more requests. NULL when each refusal came back as MFM_ENOMEM with a message and nothing leaked;
 * otherwise what went wrong. */
const char *mfm_failing_attempts(mfm_attempt_fn *attempt, void *self);

#endif
