/*
 * Writes a file that is there as a whole or not at all: bytes go to a temporary file beside it,
 * which is synced and renamed when it is complete. Until then, and after any failure or kill, the
 * path holds what it held.
 *
 * Links are followed: the file at their end is replaced, and they stay. What is no regular file (a
 * device, a pipe), and a descriptor of this process by a name like /dev/stdout or /dev/fd/3, is
 * written in place. A file that is replaced leaves its permissions.
 *
 * The temporary file of x.onnx is .x.onnx.mfm-tmp, locked while somebody writes to it; one that a
 * killed process left is taken over by the next writer of x.onnx.
 *
 * Errors are MFM_EIO with "cannot write PATH: the system's words", MFM_EINVAL for a path that names
 * no file.
 */
#ifndef MFM_FILE_WRITER_H
#define MFM_FILE_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/context.h"

/* The path up to its last slash, "." without one; the caller frees it. NULL with MFM_ENOMEM
 * recorded. */
char *mfm_folder_of(mfm_ctx *ctx, const char *path);

#define MFM_TEMPORARY_SUFFIX ".mfm-tmp"

typedef struct mfm_file_writer mfm_file_writer;

/* *writer is NULL after an error; ctx must outlive it. */
int mfm_file_writer_open(mfm_ctx *ctx, const char *path, mfm_file_writer **writer);
/* Writes to a descriptor, which stays open; name is for messages. */
int mfm_file_writer_open_descriptor(mfm_ctx *ctx, int descriptor, const char *name,
                                    mfm_file_writer **writer);
/* The first failure is kept and told by commit. */
void mfm_file_writer_put(mfm_file_writer *writer, const void *bytes, size_t size);
/* Whether something has failed: what is put from then on is lost. */
bool mfm_file_writer_failed(const mfm_file_writer *writer);
/* The path holds the new content, on the disk, or an error is told and it holds what it held. keep:
 * a name in the same folder that the old content gets; NULL for none. */
int mfm_file_writer_commit(mfm_file_writer *writer, const char *keep);
/* Whether another file is at the path now: also after a commit that could only not sync its folder.
 */
bool mfm_file_writer_replaced(const mfm_file_writer *writer);
/* Without a commit before, nothing happened. NULL does nothing. */
void mfm_file_writer_close(mfm_file_writer *writer);

#endif
