/* What a failed allocation must do, of any attempt (failing_allocator.h), as an assertion. */
#ifndef MFM_REFUSALS_H
#define MFM_REFUSALS_H

#include <CUnit/Basic.h>
#include <stdio.h>

#include "tests/core/engine/support/failing_allocator.h"

/* Each request for memory, refused in turn, comes back as MFM_ENOMEM with a message, and nothing
 * leaks. */
static inline void mfm_assert_refusals_are_told(mfm_attempt_fn *attempt, void *self)
{
    const char *wrong = mfm_failing_attempts(attempt, self);
    if (wrong)
        printf("\n    %s\n", wrong);
    CU_ASSERT_PTR_NULL(wrong);
}

#endif
