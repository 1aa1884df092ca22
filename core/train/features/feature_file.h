/*
 * Features on disk: rows of `width` numbers, each with the name of the image that it is of, for one
 * frozen prefix (feature_key.h makes the names). docs/formats.md has the layout. The head tells
 * whose rows they are, the end holds a digest over all but the rows, and each row has one of its
 * own, which is checked whenever the row is read. What is damaged, cut short or of another kind is
 * found out, never used.
 *
 * A file is written as a whole and then renamed (core/data/file_writer.h): who reads it keeps the
 * old one.
 */
#ifndef MFM_FEATURE_FILE_H
#define MFM_FEATURE_FILE_H

#include "core/base/context.h"
#include "core/base/digest.h"
#include "core/base/real.h"

typedef struct mfm_feature_file mfm_feature_file;

/* No row has this number. */
enum { MFM_NO_FEATURES = UINT32_MAX };

/* *file is NULL where there is none at path, and after an error: MFM_EDATA for one that is damaged,
 * or whose key or width is another. ctx must outlive it. */
int mfm_feature_file_open(mfm_ctx *ctx, const char *path, const mfm_digest *key, size_t width,
                          mfm_feature_file **file);
void mfm_feature_file_close(mfm_feature_file *file);
/* Number of rows; 0 for NULL. */
uint32_t mfm_feature_file_count(const mfm_feature_file *file);
/* The row of that name; MFM_NO_FEATURES when there is none, and for NULL. */
uint32_t mfm_feature_file_find(const mfm_feature_file *file, const mfm_digest *name);
/* to [width]. MFM_EDATA for a row that is not what was written, MFM_EIO. */
int mfm_feature_file_read(const mfm_feature_file *file, uint32_t row, real *to);
/* Of what is held in memory. */
size_t mfm_feature_file_bytes(const mfm_feature_file *file);

typedef struct mfm_feature_writer mfm_feature_writer;

/* The new file has the rows of `old` (NULL: none), with their numbers, and then those that are put.
 * *writer is NULL after an error: MFM_EDATA when old is damaged, MFM_EIO. */
int mfm_feature_writer_open(mfm_ctx *ctx, const char *path, const mfm_digest *key, size_t width,
                            const mfm_feature_file *old, mfm_feature_writer **writer);
/* row [width]; *number: what it has in the new file. MFM_ENOMEM, MFM_EIO as soon as a write has
 * failed, MFM_ENOTSUP beyond 2^32 - 2 rows. */
int mfm_feature_writer_put(mfm_feature_writer *writer, const mfm_digest *name, const real *row,
                           uint32_t *number);
/* The path holds the new file, or what it held (MFM_EIO). */
int mfm_feature_writer_commit(mfm_feature_writer *writer);
/* Without a commit before, nothing happened. NULL does nothing. */
void mfm_feature_writer_close(mfm_feature_writer *writer);

#endif
