/* A dataset of a few dozen textured images in memory, its split and its preprocessing. */
#ifndef MFM_TESTS_TRAIN_TINY_DATA_H
#define MFM_TESTS_TRAIN_TINY_DATA_H

#include "core/train/trainer.h"

enum { TINY_CLASSES = 4, TINY_PER_CLASS = 12, TINY_TEST = 13, TINY_META = 2 };

typedef struct tiny_data {
    mfm_ctx *ctx;
    mfm_dataset dataset;
    mfm_split *split;
    mfm_preprocess preprocess;
    char names[TINY_CLASSES][12];
    char *class_names[TINY_CLASSES];
} tiny_data;

/* Fills *d, which must stay where it is. Long-tailed with imbalance 2, augmented by shifts and
 * flips; failures end the test. */
void tiny_data_new(mfm_ctx *ctx, int height, int width, int channels, tiny_data *d);
void tiny_data_clear(tiny_data *d);
mfm_train_data tiny_data_parts(const tiny_data *d);

#endif
