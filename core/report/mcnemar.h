/*
 * McNemar's test (Psychometrika 12, 1947): whether two classifiers that were given the same images
 * are wrong equally often. Images that both get right, or both wrong, say nothing of that.
 */
#ifndef MFM_MCNEMAR_H
#define MFM_MCNEMAR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/linkage.h"
#include "core/report/predictions.h"

MFM_C_BEGIN

/* Below so many images that only one of the two gets right, the binomial distribution itself. */
enum { MFM_MCNEMAR_FEW = 25 };

typedef struct mfm_mcnemar {
    uint64_t both_right, only_first, only_second, both_wrong; /* images */
    bool exact;
    double statistic; /* chi-square, one degree of freedom, with Yates' correction; NAN if exact */
    double p;         /* of both sides; 1 when no image tells the two apart */
} mfm_mcnemar;

/* Of the numbers of images that only one of the two gets right. */
void mfm_mcnemar_test(uint64_t only_first, uint64_t only_second, mfm_mcnemar *result);
/* Of two lists of the same images in the same order. An image that either left out counts for
 * neither. */
mfm_mcnemar mfm_mcnemar_of(const mfm_predictions *first, const mfm_predictions *second);

MFM_C_END

#endif
