/*
 * The file that a cache of features, a folder, has for one prefix: KEY.features, of feature_file.h.
 * Whatever is wrong with it is told by one warning, and the run does without.
 */
#ifndef MFM_FEATURE_CACHE_H
#define MFM_FEATURE_CACHE_H

#include "core/train/features/feature_file.h"
#include "core/train/features/feature_prune.h"

/* Results beside the codes of failures. */
enum {
    MFM_CACHE_LOST = 1, /* it cannot be written, as has been said: nothing is added any more */
    MFM_CACHE_ANEW      /* what it has cannot be used, as has been said */
};

typedef struct mfm_feature_cache {
    mfm_ctx *ctx;
    mfm_digest key;
    size_t width;
    double size;            /* bytes that all files may take; 0: any */
    char *folder, *path;    /* path: NULL, there is no cache */
    mfm_feature_file *file; /* NULL: nothing of use */
    bool unwritable, anew;
} mfm_feature_cache;

/* Makes the folder where it is not there. MFM_EIO: it cannot be. Cleared by the caller. */
int mfm_feature_cache_open(mfm_ctx *ctx, const char *folder, double size, const mfm_digest *key,
                           size_t width, mfm_feature_cache *cache);
void mfm_feature_cache_clear(mfm_feature_cache *cache);

/* Says that what it has cannot be used; MFM_CACHE_ANEW. */
int mfm_feature_cache_unusable(mfm_feature_cache *cache, const char *why);
/* What it has is replaced by what is put. */
void mfm_feature_cache_forget(mfm_feature_cache *cache);
/* *number: of the row in the file, where it survives a kill. MFM_CACHE_LOST, MFM_CACHE_ANEW,
 * MFM_ENOMEM. */
int mfm_feature_cache_put(mfm_feature_cache *cache, const mfm_digest *name, const real *row,
                          uint32_t *number);
/* What was added is on the disk, or taken back as `unwritable` tells. */
int mfm_feature_cache_commit(mfm_feature_cache *cache);
/* Removes files of other prefixes, those first that were used least recently, until all take no
 * more than `size`. */
int mfm_feature_cache_prune(mfm_feature_cache *cache, mfm_feature_pruned *pruned);

#endif
