/* Counts of (true class, predicted class), and the figures read off them. Percent everywhere. */
#ifndef MFM_CONFUSION_H
#define MFM_CONFUSION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

typedef struct mfm_confusion {
    int classes;
    uint32_t *count;     /* [classes, classes]: row = true class, column = predicted class */
    uint32_t *undecided; /* [classes]: images of the class with outputs that are not numbers */
    uint64_t images;
} mfm_confusion;

int mfm_confusion_init(mfm_ctx *ctx, mfm_confusion *confusion, int classes);
void mfm_confusion_clear(mfm_ctx *ctx, mfm_confusion *confusion);
void mfm_confusion_reset(mfm_confusion *confusion);
/* predicted -1: undecided, which is wrong. */
void mfm_confusion_add(mfm_confusion *confusion, int truth, int predicted);

/* Share of images whose prediction is wrong; NAN without images. */
double mfm_confusion_error(const mfm_confusion *confusion);
/* The mean over the classes with images of their shares of wrong predictions, which is the error
 * when these have the same number of images (bit for bit); NAN without images. */
double mfm_confusion_balanced_error(const mfm_confusion *confusion);
uint64_t mfm_confusion_undecided(const mfm_confusion *confusion);
uint64_t mfm_confusion_class_images(const mfm_confusion *confusion, int class_number);
/* Share of the class's images that are predicted as it; NAN for a class without images. */
double mfm_confusion_recall(const mfm_confusion *confusion, int class_number);
/* The mean of the recalls over the classes with images, of those that among[classes] marks (NULL:
 * all); *classes is their number. NAN when there is none. */
double mfm_confusion_mean_recall(const mfm_confusion *confusion, const bool *among, int *classes);
/* The geometric mean of the recalls of the classes with images, 0 when one of them is; NAN without
 * images. */
double mfm_confusion_geometric_mean(const mfm_confusion *confusion);

MFM_C_END

#endif
