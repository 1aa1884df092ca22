/* The command that repeats a run. */
#ifndef MFM_RUN_COMMAND_H
#define MFM_RUN_COMMAND_H

#include <jansson.h>

#include "core/base/context.h"

/* From run.json: what differs from the defaults, for a shell, in the folder where the run began.
 * The output is called repeated.onnx: the run's own stays. NULL when memory ran out; the caller
 * frees it by mfm_free. */
char *mfm_run_command(mfm_ctx *ctx, const json_t *run);

/* The first option of the run that the command leaves out, because the program does not know it;
 * NULL: there is none. */
const char *mfm_run_command_lacks(mfm_ctx *ctx, const json_t *run);

#endif
