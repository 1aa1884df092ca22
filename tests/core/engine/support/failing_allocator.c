#include "failing_allocator.h"

#include <stdbool.h>
#include <stdlib.h>

/* No set-up in the tests asks this often: an endless loop ends here. */
enum { MOST_REQUESTS = 100000 };

static void *grant(void *self, size_t size)
{
    mfm_failing *failing = self;
    const bool refuse = failing->requests++ == failing->refuse_at;
    failing->refused += refuse;
    void *pointer = refuse ? NULL : malloc(size);
    failing->alive += pointer != NULL;
    return pointer;
}

static void take_back(void *self, void *pointer)
{
    mfm_failing *failing = self;
    if (pointer)
        failing->alive--;
    free(pointer);
}

mfm_allocator mfm_failing_allocator(mfm_failing *failing)
{
    return (mfm_allocator){.alloc = grant, .free = take_back, .self = failing};
}

static const char *judge(const mfm_failing *failing, const mfm_ctx *ctx, int status)
{
    if (failing->alive != 1)
        return status ? "a refused allocation leaks" : "memory leaks";
    if (!failing->refused)
        return status ? "the attempt fails without a refusal" : NULL;
    if (status != MFM_ENOMEM)
        return "a refused allocation is not told as MFM_ENOMEM";
    return mfm_code(ctx) == MFM_ENOMEM ? NULL : "a refused allocation leaves no message";
}

const char *mfm_failing_attempts(mfm_attempt_fn *attempt, void *self)
{
    const char *what = NULL;
    for (size_t n = 1; n < MOST_REQUESTS && !what; n++) { /* request 0 is the context */
        mfm_failing failing = {.refuse_at = n};
        const mfm_allocator allocator = mfm_failing_allocator(&failing);
        mfm_ctx *ctx = mfm_ctx_new(&allocator);
        if (!ctx)
            return "no memory for the context itself";
        const int status = attempt(ctx, self);
        what = judge(&failing, ctx, status);
        const bool granted = !failing.refused;
        mfm_ctx_free(ctx);
        if (granted)
            return what;
    }
    return what ? what : "it asks for memory without end";
}
