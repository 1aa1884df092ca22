/*
 * A trace of the plans that a command runs, for browsers' trace viewers: MFM_TRACE=FILE in the
 * environment. The file is JSON in the Trace Event format, with one complete event ("X") for each
 * pass and, inside it, one for each node call: operator, node, shape and operations.
 */
#ifndef MFM_TRACE_H
#define MFM_TRACE_H

#include "core/base/context.h"

typedef struct mfm_trace mfm_trace;

/* Observes the context's plans and writes to path, again and again. A process that returns, or is
 * ended by a signal that can be held back, leaves whole JSON. SIGKILL cannot be held back and may
 * cut a write short: then every line but the last is still whole, each of them an event, and
 * closing the list makes it JSON again. The file grows to 64 MiB at most. One that is there already
 * is replaced only when it is empty or a trace. */
int mfm_trace_begin(mfm_ctx *ctx, const char *path, mfm_trace **trace);
/* Writes what is left and warns of what could not be written. NULL: does nothing. */
void mfm_trace_end(mfm_trace *trace);

#endif
