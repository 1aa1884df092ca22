/*
 * The outcomes of all images of a test, and the figures that a confusion matrix does not have.
 * Percent everywhere.
 */
#ifndef MFM_PREDICTIONS_H
#define MFM_PREDICTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/report/outcome.h"

MFM_C_BEGIN

typedef struct mfm_predictions {
    /* [count], in the order in which the images were read; no figure counts one left out */
    mfm_outcome *item;
    uint32_t count, room;
} mfm_predictions;

/* For up to `images` of them. */
int mfm_predictions_init(mfm_ctx *ctx, mfm_predictions *predictions, uint32_t images);
void mfm_predictions_clear(mfm_ctx *ctx, mfm_predictions *predictions);
void mfm_predictions_add(mfm_predictions *predictions, const mfm_outcome *outcome);

/* Share of images whose true class is among the k with the largest logits; an undecided image is
 * wrong. NAN without images. */
double mfm_predictions_top(const mfm_predictions *predictions, int k);

enum { MFM_CALIBRATION_BINS = 15 };

/* Images by confidence: bin m has those in (m / 15, (m + 1) / 15]. Guo et al., ICML 2017. */
typedef struct mfm_calibration {
    uint32_t images[MFM_CALIBRATION_BINS];
    double confidence[MFM_CALIBRATION_BINS]; /* their mean, percent; NAN for an empty bin */
    double accuracy[MFM_CALIBRATION_BINS];   /* share that is right; NAN for an empty bin */
    uint32_t counted;                        /* images with a confidence: the others are left out */
    /* sum over the bins of images / counted |accuracy - confidence|, the expected calibration
     * error; NAN when no image is counted. */
    double error;
} mfm_calibration;

mfm_calibration mfm_predictions_calibration(const mfm_predictions *predictions);

MFM_C_END

#endif
