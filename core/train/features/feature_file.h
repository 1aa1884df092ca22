/*
 * Features of frozen layers in a file, for this run and for later ones. The file is named by a key,
 * 128 bits of XXH3 over all that decides its numbers: the layers with their weights and running
 * statistics, the images, how they are read, the program's version, its threads and the images that
 * run at once. Its end holds a checksum over the rest, which is checked before a number is used.
 *
 *     "MFMFEAT1"  key [16]  width [8]  count [8]  rows [count, width] of real  checksum [16]
 *
 * Numbers are this machine's own: a file of another is of another length, or fails its checksum.
 */
#ifndef MFM_FEATURE_FILE_H
#define MFM_FEATURE_FILE_H

#include <stdbool.h>

#include "core/data/preprocess.h"
#include "core/train/problem/problem.h"

enum { MFM_FEATURE_KEY = 16 };

typedef struct mfm_feature_key {
    unsigned char bytes[MFM_FEATURE_KEY];
} mfm_feature_key;

/* What features are of: images[list[0 .. count-1]]. */
typedef struct mfm_feature_source {
    const mfm_problem *problem; /* with a prefix that has its numbers */
    const mfm_preprocess *preprocess;
    const mfm_images *images;
    const uint32_t *list;
    uint32_t count, part;
    size_t width; /* reals of a row */
} mfm_feature_source;

int mfm_feature_key_of(mfm_ctx *ctx, const mfm_feature_source *source, mfm_feature_key *key);
/* FOLDER/KEY.features; released by mfm_free; NULL without memory. */
char *mfm_feature_file_path(mfm_ctx *ctx, const char *folder, const mfm_feature_key *key);

typedef struct mfm_feature_file mfm_feature_file;

/* Opens and checks all of it. *file is NULL, and the result MFM_OK, when there is none, or one that
 * is damaged or of something else, which a warning says: whoever calls makes it anew. */
int mfm_feature_file_open(mfm_ctx *ctx, const char *path, const mfm_feature_key *key, size_t width,
                          uint32_t count, mfm_feature_file **file);
void mfm_feature_file_close(mfm_feature_file *file);
/* MFM_EIO when the file cannot be read, or became shorter. */
int mfm_feature_file_read(const mfm_feature_file *file, uint32_t row, uint32_t n, real *to);

typedef struct mfm_feature_writer mfm_feature_writer;

/* The path holds the whole file after the commit, and what it held before any failure
 * (core/data/file_writer.h). */
int mfm_feature_writer_open(mfm_ctx *ctx, const char *path, const mfm_feature_key *key,
                            size_t width, uint32_t count, mfm_feature_writer **writer);
void mfm_feature_writer_put(mfm_feature_writer *writer, const real *rows, uint32_t n);
int mfm_feature_writer_commit(mfm_feature_writer *writer);
void mfm_feature_writer_close(mfm_feature_writer *writer);

#endif
