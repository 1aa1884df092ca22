/*
 * Long-tailed splits and meta sets, as indices into a dataset's training part.
 *
 * Class i of C keeps floor(n_max * mu^(i / (C - 1))) images with mu = 1 / imbalance, in label
 * order (Cao et al., NeurIPS 2019). n_max is the mean number of images of a class: all of them
 * when the classes are of one size. A class that has fewer images than its share keeps all it has,
 * and a warning says so. Imbalance 1 without a limit keeps every image.
 *
 * Which images are kept, and which form the meta set and the validation part, is decided by one
 * shuffle of each class that depends on the seed and the class alone: a disjoint meta set comes
 * first, then the validation part, then the images that are kept. A smaller imbalance keeps what a
 * larger one keeps.
 */
#ifndef MFM_SPLIT_H
#define MFM_SPLIT_H

#include <stdint.h>

#include "core/data/sources/dataset.h"
#include "core/base/context.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

enum mfm_meta_from {
    MFM_META_DISJOINT, /* taken out of the full training part before it is thinned */
    MFM_META_COPY      /* copied from the thinned set, no more of a class than it has */
};

/* How many images a class gives to a meta set of copies when some class has fewer than it should
 * (Wang et al., arXiv 2008.03428, have both). */
enum mfm_meta_cap {
    MFM_META_CAP_PER_CLASS, /* each as many as it has */
    MFM_META_CAP_RAREST     /* each as many as the rarest has: the set stays balanced */
};

typedef struct mfm_split_options {
    double imbalance;        /* n_max / n_min, at least 1 */
    uint32_t max_per_class;  /* n_max; 0: the mean over the classes of what is there to thin */
    uint32_t meta_per_class; /* 0: no meta set */
    enum mfm_meta_from meta_from;
    enum mfm_meta_cap meta_cap;
    bool meta_unread; /* nobody will read the meta set: no warnings of it */
    /* The validation part, taken out of the full training part before it is thinned: so many images
     * of each class, or, where that is 0, this share of each, rounded, at least one; both 0: none.
     */
    uint32_t validation_per_class;
    double validation_share; /* below 1 */
    uint64_t seed;
} mfm_split_options;

typedef struct mfm_split {
    int classes;
    uint32_t train_count, meta_count, validation_count;
    uint32_t *train;      /* [train_count] indices, ascending */
    uint32_t *meta;       /* [meta_count] indices, ascending */
    uint32_t *validation; /* [validation_count] indices, ascending, in neither of the others */
    uint32_t *train_per_class, *meta_per_class, *validation_per_class; /* [classes] */
    /* FNV-1a of 64 bits over the words classes, train_count, train, meta_count, meta, channels,
     * height, width, each as 4 bytes, the lowest first, and then over the label (2 bytes) and the
     * pixels of each training image and each meta image; then, where there is a validation part,
     * over validation_count, validation, and label and pixels of its images: tells whether two runs
     * used the same images. Of images that a source reads it has what that tells instead of the
     * pixels. */
    uint64_t hash;
} mfm_split;

/* Needs the dataset's training part; the caller frees *split. MFM_EINVAL: a class without images,
 * an imbalance below 1 or one that leaves a class without images, a share that is none, or a
 * disjoint meta set and a validation part that take all images of a class. */
int mfm_split_new(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_split_options *options,
                  mfm_split **split);
void mfm_split_free(mfm_ctx *ctx, mfm_split *split);

/* The same over channels, height, width, and label and pixels of each test image. */
uint64_t mfm_test_hash(const mfm_dataset *dataset);

/* floor(n_max * mu^(class / (classes - 1))) in double precision; n_max for a single class. */
uint32_t mfm_split_class_count(uint32_t n_max, double imbalance, int class_number, int classes);

MFM_C_END

#endif
