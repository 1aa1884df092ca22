/* What the files of frozen features share: frozen_features.c makes and finds them, keep_features.c
 * decides which are kept, and fills the sets. */
#ifndef MFM_FEATURE_PARTS_H
#define MFM_FEATURE_PARTS_H

#include "core/train/features/feature_file.h"
#include "core/train/features/frozen_features.h"

/* Kept features of one part of a dataset. */
typedef struct mfm_feature_set {
    const mfm_images *images;
    uint32_t copies;  /* augmented ones of each image; 0: as evaluation reads it */
    const char *what; /* as a note calls the images */
    uint32_t told;    /* how many they are */
    /* [images->count, forms] where the features of an image lie: in data, or in the file where
     * there is no data; MFM_NO_FEATURES: not kept here. */
    uint32_t *row;
    real *data; /* [count, width] */
    size_t count;
} mfm_feature_set;

enum { MFM_FEATURE_SETS = 8 };

struct mfm_frozen_features {
    mfm_ctx *ctx;
    const mfm_problem *problem;
    mfm_plan *plan;
    int64_t products; /* multiplications of an image */
    uint32_t part;
    size_t image, width; /* reals of an image, and of its features */
    size_t *widths;      /* [n] of each output */
    real *images;        /* [part, image]: the last part is filled up with what was there */
    real *labels;        /* [part] */
    mfm_feature_set sets[MFM_FEATURE_SETS];
    int n_sets;
    mfm_feature_file *file; /* of sets without data; NULL: there are none */
    real *from_file;        /* [width] */
};

static inline uint32_t mfm_feature_forms(const mfm_feature_set *set)
{
    return set->copies ? set->copies : 1;
}

void mfm_feature_set_clear(mfm_ctx *ctx, mfm_feature_set *set);
/* Whether a form of an image is kept; copies: of how many, 0: as evaluation reads it. */
bool mfm_feature_known(const mfm_frozen_features *features, const mfm_images *images,
                       uint32_t index, uint32_t copies, uint32_t copy);
/* Runs the images that lie in features->images; to [n, width]: rows of the first n. */
void mfm_feature_part_run(mfm_frozen_features *features, uint32_t n, real *to);

#endif
