/*
 * Which features of a frozen prefix are kept: those of images that are always read the same way, in
 * memory as far as they fit, and, where there is a cache, in a file of it, which the next run
 * reads. What no memory has room for is then read from the file as it is needed.
 *
 * Rows of a file are those that would be computed: of one prefix, program and machine
 * (feature_key.h), found by the images' content, checked against damage, and a sample of them is
 * computed anew. A file that fails is not used, but written anew.
 * A row is in the file as soon as it is computed: a kill loses none.
 */
#ifndef MFM_KEEP_FEATURES_H
#define MFM_KEEP_FEATURES_H

#include "core/train/features/frozen_features.h"

/* Some images of a part of the dataset. */
typedef struct mfm_feature_images {
    const char *what; /* "training" */
    const mfm_images *images;
    const uint32_t *indices; /* NULL: the first ones */
    uint32_t count;
    bool varies;     /* augmented or mixed: another image each time */
    uint32_t copies; /* augmented ones of each; 0: as evaluation reads it */
} mfm_feature_images;

/* Who follows the work: told before each kind of it, with done 0, and then of images as they are
 * done, when a negative result ends all with that code. doing: "computing training features". */
typedef struct mfm_feature_watch {
    void *self;
    int (*on_images)(void *self, const char *doing, uint32_t done, uint32_t total);
} mfm_feature_watch;

typedef struct mfm_feature_keeping {
    const mfm_preprocess *preprocess;
    uint64_t seed;                  /* of augmented copies */
    size_t memory;                  /* bytes that may be taken */
    const char *cache;              /* folder, which is made where it is not there; NULL: none */
    double cache_size;              /* bytes of its files; 0: any number */
    const mfm_feature_watch *watch; /* NULL: nobody */
} mfm_feature_keeping;

enum { MFM_FEATURE_NOTE = 1024 };

/* Goes through the list in its order. note: what is kept, for those who follow the run; "" when
 * nothing is. Warned of are: what would not vary, but finds no room; a file that cannot be used or
 * written. */
int mfm_keep_features(mfm_ctx *ctx, mfm_frozen_features *features, const mfm_feature_images *list,
                      int n, const mfm_feature_keeping *how, char note[MFM_FEATURE_NOTE]);

#endif
