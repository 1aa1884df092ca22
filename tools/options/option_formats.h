/*
 * A command's options in the forms that other programs read, made from its table: a manual page
 * and completion for shells. `onnx-mfm help --man` and `--completion` ask each command for its
 * part.
 */
#ifndef MFM_OPTION_FORMATS_H
#define MFM_OPTION_FORMATS_H

#include "tools/options/options.h"

/* text: a format, and for `man` what the command does: "man:train a model", "bash", "zsh", "fish".
 * command: "onnx-mfm train". values hold the defaults. Prints to standard output; MFM_HELPED, or
 * MFM_EUSAGE for a format nobody knows. */
int mfm_option_format(mfm_ctx *ctx, const mfm_option_table *table, const char *command,
                      const void *values, const char *text);

/* The text with what has a meaning in roff escaped. */
void mfm_roff_text(const char *text);
/* How the page of a command begins, such as "onnx-mfm train": its title, and NAME. */
void mfm_roff_head(const char *command);
/* What has a meaning to a shell within single quotes is escaped, and zsh's own marks where it is
 * for zsh. */
void mfm_quoted_text(const char *text, bool zsh);

#endif
