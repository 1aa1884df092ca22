/*
 * Bounds a cache of features: its files, KEY.features, and what killed runs have left beside them,
 * go in the order of their last use, which is the time of their last change (feature_file.h). One
 * that somebody is writing stays; who reads one that goes, keeps it. Other files in the folder are
 * never touched.
 */
#ifndef MFM_FEATURE_PRUNE_H
#define MFM_FEATURE_PRUNE_H

#include "core/base/context.h"

typedef struct mfm_feature_pruned {
    size_t files; /* removed */
    double bytes; /* that they took */
    double left;  /* of those that stay */
} mfm_feature_pruned;

/* keep: the name of a file that stays in any case; size: bytes. MFM_EIO for a folder that cannot
 * be read; a file that cannot be removed is warned of. */
int mfm_feature_prune(mfm_ctx *ctx, const char *folder, const char *keep, double size,
                      mfm_feature_pruned *pruned);

#endif
