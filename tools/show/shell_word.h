/* A text as one word of a shell's command line. */
#ifndef MFM_SHELL_WORD_H
#define MFM_SHELL_WORD_H

#include "core/base/context.h"

/* In quotes where it needs them; NULL when memory ran out. The caller frees it by mfm_free. */
char *mfm_shell_word(mfm_ctx *ctx, const char *text);

#endif
