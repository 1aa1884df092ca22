/* Files that commands write, and the checks that come before any work. */
#ifndef MFM_FILES_H
#define MFM_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "onnx/proto/model.h"

/* Before any work: MFM_EIO unless a file can be written at path (core/data/file_writer.h: a link is
 * followed, a device written in place). MFM_EINVAL when it is the file input (NULL: none), by
 * whatever name: an input is never overwritten. Nothing is changed; but after the path "-",
 * standard output is the file's, and what is printed goes to standard error. */
int mfm_check_output(mfm_ctx *ctx, const char *path, const char *input);
/* MFM_EIO unless something new can be made at path. */
int mfm_check_place(mfm_ctx *ctx, const char *path);
/* MFM_EIO unless a folder is at path, or can be made there. */
int mfm_check_folder(mfm_ctx *ctx, const char *path);
/* Whether a path that was checked is, or will be, a regular file, which can be read back. */
bool mfm_is_regular_output(const char *path);
/* Put a model, or bytes, into a path that was checked. */
int mfm_save_output(mfm_ctx *ctx, const mfm_model *model, const char *path);
int mfm_write_output(mfm_ctx *ctx, const char *path, const void *bytes, size_t size);
/* What messages call the path. */
const char *mfm_output_name(const char *path);

/* Where standard input is read as a file. */
#define MFM_STANDARD_INPUT "/dev/stdin"
/* After it MFM_STANDARD_INPUT can be opened, any number of times, and each gives the same bytes
 * from the beginning: what comes through a pipe is kept in memory, and becomes standard input.
 * MFM_EIO also for a terminal, MFM_ENOTSUP beyond protobuf's 2 GiB. */
int mfm_keep_standard_input(mfm_ctx *ctx);
/* A further model of a command, which like the first can be "-": then *path becomes
 * MFM_STANDARD_INPUT, and is kept. */
int mfm_take_model(mfm_ctx *ctx, const char **path);

/* Puts bytes into a file, as a whole or not at all. */
int mfm_write_file(mfm_ctx *ctx, const char *path, const void *bytes, size_t size);
/* A folder, with every one above it. */
int mfm_make_folders(mfm_ctx *ctx, const char *path);
/* All of a regular file, with a zero byte behind it. The caller releases *bytes by mfm_free. */
int mfm_read_file(mfm_ctx *ctx, const char *path, char **bytes, size_t *size);
/* Records "cannot VERB path: reason" for an errno. Out of space, quota or descriptors is
 * MFM_ENOMEM, anything else MFM_EIO. */
int mfm_fail_errno(mfm_ctx *ctx, int error, const char *verb, const char *path);

#endif
