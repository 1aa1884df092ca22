/*
 * What a command of onnx-mfm is: a file cmd_NAME.c with one function, and a line in commands.def.
 *
 * A command returns MFM_OK, one of the codes below, or a library code with the message in the
 * context; main prints the message and chooses the exit code. What can be told from the command
 * line alone is wrong usage; what shows only when files are looked at is bad input.
 */
#ifndef MFM_COMMAND_H
#define MFM_COMMAND_H

#include "core/base/context.h"

enum mfm_tool_status {
    MFM_EUSAGE = -100, /* the command line has no meaning: exit 2 */
    MFM_ECHECK = -101, /* what was asked to be checked does not hold: exit 1 */
    MFM_HELPED = -102  /* help was printed, there is nothing more to do: exit 0 */
};

/* argv[0] is "onnx-mfm NAME". */
typedef int mfm_command_fn(mfm_ctx *ctx, int argc, const char **argv);

#define COMMAND(name, summary) mfm_command_fn mfm_cmd_##name;
#include "tools/commands/commands.def"
#undef COMMAND

#endif
