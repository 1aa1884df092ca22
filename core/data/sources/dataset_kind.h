/* What a kind of dataset supplies; included by the kinds and by dataset.c only. */
#ifndef MFM_DATASET_KIND_H
#define MFM_DATASET_KIND_H

#include "core/data/sources/dataset.h"

typedef struct mfm_dataset_kind {
    const char *name;   /* what stands before the colon */
    const char *folder; /* used when none is given; NULL: one must be given */
    /* Fills a zeroed dataset but for its name and options: shape, classes, statistics and at least
     * the parts asked for. What it has filled when it fails is freed by the caller. */
    int (*read)(mfm_ctx *ctx, const char *folder, unsigned parts, mfm_dataset *dataset);
    bool files;   /* images by themselves: a list can tell them, a share be taken out for testing */
    bool numbers; /* samples are arrays */
    const char *augment; /* what is usual in training (core/data/augmentations); NULL: nothing */
} mfm_dataset_kind;

/* Pixels and labels for count images of dataset's shape. */
int mfm_images_new(mfm_ctx *ctx, const mfm_dataset *dataset, uint64_t count, mfm_images *images);
void mfm_images_clear(mfm_ctx *ctx, mfm_images *images);

/* Sets classes and copies their names; names NULL: the labels of the files serve as names. */
int mfm_dataset_set_classes(mfm_ctx *ctx, mfm_dataset *dataset, int classes,
                            const char *const *names);
/* Sets mean and deviation per channel to those of the training images. */
void mfm_dataset_measure(mfm_dataset *dataset);

#endif
