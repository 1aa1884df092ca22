#include "tools/exit_code.h"

#include <errno.h>
#include <string.h>

#include "tools/commands/command.h"
#include "tools/interrupt.h"

/* The library reports whatever the system refuses as MFM_EIO, with the system's own words at the
 * end; a place that is full is a resource that ran out, and not bad input. */
static int ran_out(const mfm_ctx *ctx)
{
    static const int full[] = {ENOSPC, EDQUOT, EFBIG};
    const char *message = mfm_message(ctx);
    for (size_t i = 0; i < sizeof full / sizeof full[0]; i++) {
        const char *reason = strerror(full[i]);
        const size_t length = strlen(message), tail = strlen(reason);
        if (length >= tail && strcmp(message + length - tail, reason) == 0)
            return 1;
    }
    return 0;
}

int mfm_exit_code(const mfm_ctx *ctx, int status)
{
    switch (status) {
    case MFM_OK:
    case MFM_HELPED:
        return MFM_EXIT_GOOD;
    case MFM_ECHECK:
    case MFM_ENAN:
        return MFM_EXIT_CHECK;
    case MFM_EUSAGE:
        return MFM_EXIT_USAGE;
    case MFM_ENOMEM:
        return MFM_EXIT_RESOURCES;
    case MFM_EIO:
        return ran_out(ctx) ? MFM_EXIT_RESOURCES : MFM_EXIT_INPUT;
    case MFM_EINTR:
        return MFM_EXIT_SIGNAL + *mfm_interrupt_signal();
    default:
        return MFM_EXIT_INPUT;
    }
}
