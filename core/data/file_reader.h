/*
 * Reads a regular file front to back, plain or gzip-compressed (told apart by its first bytes).
 * Compressed data is checked against its checksum by mfm_file_reader_end. Every error names the
 * file: MFM_EIO when the system refuses, MFM_EDATA when the content ends early or is damaged.
 */
#ifndef MFM_FILE_READER_H
#define MFM_FILE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"

typedef struct mfm_file_reader mfm_file_reader;

/* *reader is NULL after an error; ctx must outlive it. */
int mfm_file_reader_open(mfm_ctx *ctx, const char *path, mfm_file_reader **reader);
void mfm_file_reader_close(mfm_file_reader *reader);

const char *mfm_file_reader_path(const mfm_file_reader *reader);
bool mfm_file_reader_compressed(const mfm_file_reader *reader);
/* No more bytes than this can come out of the file, so that a size claimed by a header can be
 * refused before memory is asked for. Exact for a plain file. */
uint64_t mfm_file_reader_limit(const mfm_file_reader *reader);

/* Exactly size bytes. */
int mfm_file_reader_read(mfm_file_reader *reader, void *to, size_t size);
/* All of a file that is not compressed (MFM_EDATA), with a zero byte behind it. The caller releases
 * *bytes by mfm_free. */
int mfm_file_read_whole(mfm_ctx *ctx, const char *path, char **bytes, size_t *size);
/* An error when anything follows, or the checksum is wrong. */
int mfm_file_reader_end(mfm_file_reader *reader);

#endif
