/*
 * Features on disk: rows of `width` numbers, each with the name of the image that it is of, for one
 * frozen prefix (feature_key.h makes the names). docs/formats.md has the layout. The head tells
 * whose rows they are. Rows are added at the end, each whole in itself: what a process has added
 * survives its death at any moment. Behind the first row whose name or place its digests do not
 * confirm nothing is used, and the next who adds begins there; the numbers of a row are checked
 * whenever it is read. What is damaged, cut short or of another kind is found out, never used.
 *
 * One process adds at a time (flock); others may read meanwhile: what they have found stays where
 * it is. A file that is of no use is replaced, not emptied: who reads it keeps the old one.
 */
#ifndef MFM_FEATURE_FILE_H
#define MFM_FEATURE_FILE_H

#include "core/base/context.h"
#include "core/base/digest.h"
#include "core/base/real.h"

typedef struct mfm_feature_file mfm_feature_file;

/* No row has this number. */
enum { MFM_NO_FEATURES = UINT32_MAX };

#define MFM_FEATURE_MAGIC "mfm.feat" /* the first 8 bytes */

/* *file is NULL where there is none at path, and after an error: MFM_EDATA for one that is damaged,
 * or whose key or width is another. ctx must outlive it. The time of the file's last change becomes
 * that of its last use. */
int mfm_feature_file_open(mfm_ctx *ctx, const char *path, const mfm_digest *key, size_t width,
                          mfm_feature_file **file);
/* One without rows in the place of what is there. */
int mfm_feature_file_new(mfm_ctx *ctx, const char *path, const mfm_digest *key, size_t width,
                         mfm_feature_file **file);
void mfm_feature_file_close(mfm_feature_file *file);
/* Number of rows; 0 for NULL. */
uint32_t mfm_feature_file_count(const mfm_feature_file *file);
/* Bytes at the end that are no rows; 0 while somebody else is adding. */
uint64_t mfm_feature_file_dropped(const mfm_feature_file *file);
/* The row of that name, of those that were there when it was opened; MFM_NO_FEATURES when there is
 * none, and for NULL. */
uint32_t mfm_feature_file_find(const mfm_feature_file *file, const mfm_digest *name);
/* to [width]. MFM_EDATA for a row that is not what was written, MFM_EIO. */
int mfm_feature_file_read(const mfm_feature_file *file, uint32_t row, real *to);
/* Of what is held in memory. */
size_t mfm_feature_file_bytes(const mfm_feature_file *file);
/* What the file takes with so many rows. */
uint64_t mfm_feature_file_size(const mfm_feature_file *file, uint32_t rows);

/* row [width]; *number: what it has. From the first one on nobody else may add, until it is synced.
 * MFM_ENOMEM; MFM_EIO, also where another process is adding or has replaced the file; MFM_ENOTSUP
 * beyond 2^32 - 3 rows. */
int mfm_feature_file_add(mfm_feature_file *file, const mfm_digest *name, const real *row,
                         uint32_t *number);
/* What was added is on the disk (MFM_EIO). */
int mfm_feature_file_sync(mfm_feature_file *file);
/* Takes back what was added since then, and removes a file that had no rows: a disk that is full
 * has the room again for what matters more. */
void mfm_feature_file_take_back(mfm_feature_file *file);

#endif
