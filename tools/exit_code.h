/* What the program tells its caller by its exit code. */
#ifndef MFM_EXIT_CODE_H
#define MFM_EXIT_CODE_H

#include "core/base/context.h"

enum {
    MFM_EXIT_GOOD = 0,
    MFM_EXIT_CHECK = 1,
    MFM_EXIT_USAGE = 2,
    MFM_EXIT_INPUT = 3,
    MFM_EXIT_RESOURCES = 4,
    MFM_EXIT_SIGNAL = 128 /* and the signal's number: as a shell tells it */
};

/* Of what a command has returned, with the message in the context. */
int mfm_exit_code(const mfm_ctx *ctx, int status);

#endif
