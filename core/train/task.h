/*
 * What is to be learned, known before any graph is built: how many classes there are, and how many
 * training images of each. Losses, samplers and finishing read it.
 */
#ifndef MFM_TASK_H
#define MFM_TASK_H

#include "core/data/split.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

typedef struct mfm_task {
    int64_t classes;            /* of the model */
    uint32_t *images_per_class; /* [classes] training images; 0 for a class that does not occur */
    uint32_t samples;           /* training images in all */
    uint32_t *indices;          /* [samples] of them, ascending; NULL: 0 .. samples-1 */
    uint64_t seed;              /* of the training */
} mfm_task;

/* Counts are copied; classes that the model has beyond n_counts get 0. MFM_EINVAL: fewer classes
 * than counts, or no image at all. */
int mfm_task_init(mfm_ctx *ctx, mfm_task *task, int64_t classes, const uint32_t *counts,
                  int n_counts, uint64_t seed);
/* The task of training on a split. */
int mfm_task_of_split(mfm_ctx *ctx, mfm_task *task, int64_t classes, const mfm_split *split,
                      uint64_t seed);
void mfm_task_clear(mfm_ctx *ctx, mfm_task *task);

/* The place of a training image among the samples. */
uint32_t mfm_task_row(const mfm_task *task, uint32_t index);

/* The number of training images of a class, at least 1: what formulas with logarithms and inverses
 * of counts take for a class that does not occur. */
double mfm_task_count(const mfm_task *task, int64_t class_number);
/* Over all classes, of the same numbers. */
double mfm_task_largest(const mfm_task *task);
double mfm_task_smallest(const mfm_task *task);

MFM_C_END

#endif
