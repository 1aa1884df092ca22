/* Which features of a frozen prefix are kept: those of images that are always read the same way, as
 * far as they fit into the memory that is allowed for them. */
#ifndef MFM_KEEP_FEATURES_H
#define MFM_KEEP_FEATURES_H

#include "core/train/features/frozen_features.h"

/* Some images of a part of the dataset. */
typedef struct mfm_feature_images {
    const char *what; /* "training" */
    const mfm_images *images;
    const uint32_t *indices; /* NULL: the first ones */
    uint32_t count;
    bool varies; /* augmented or mixed: another image each time */
} mfm_feature_images;

enum { MFM_FEATURE_NOTE = 160 };

/* Goes through the list in its order. note: what is kept, for those who follow the run; "" when
 * nothing is. What would not vary, but finds no room in `memory` bytes, is warned of, and so is
 * what holds an image that cannot be read: then none of its features are kept. */
int mfm_keep_features(mfm_ctx *ctx, mfm_frozen_features *features, const mfm_feature_images *list,
                      int n, const mfm_preprocess *preprocess, size_t memory,
                      const mfm_evaluation_watch *watch, char note[MFM_FEATURE_NOTE]);

#endif
