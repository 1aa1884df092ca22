/* Files that commands write, and the checks that come before any work. */
#ifndef MFM_FILES_H
#define MFM_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/engine/context.h"

/* MFM_EIO unless a file can be written at path: its folder exists and may be written to, and what
 * is there already is a regular file. MFM_EINVAL when it is the file input (NULL: none), by
 * whatever name: an input is never overwritten. Nothing is changed. */
int mfm_check_output(mfm_ctx *ctx, const char *path, const char *input);

/* Puts bytes into path: a temporary file beside it, synced and renamed. */
int mfm_write_file(mfm_ctx *ctx, const char *path, const void *bytes, size_t size);
/* All of a regular file, with a zero byte behind it. The caller releases *bytes by mfm_free. */
int mfm_read_file(mfm_ctx *ctx, const char *path, char **bytes, size_t *size);
/* Records "cannot VERB path: reason" for an errno. Out of space, quota or descriptors is
 * MFM_ENOMEM, anything else MFM_EIO. */
int mfm_fail_errno(mfm_ctx *ctx, int error, const char *verb, const char *path);

#endif
