/* What a classifier's logits say of one image whose class is known. */
#ifndef MFM_OUTCOME_H
#define MFM_OUTCOME_H

#include <stdint.h>

#include "core/base/linkage.h"
#include "core/base/real.h"

MFM_C_BEGIN

typedef struct mfm_outcome {
    int label;     /* -1: an image that was left out, of which nothing is known */
    int predicted; /* the first class with the largest logit; -1: undecided, one is not a number */
    int rank;      /* classes that come before the true one, ties by number: 0 is right; -1 */
    double confidence; /* softmax of the predicted class; NAN where logits are not finite */
    double loss;       /* cross-entropy */
} mfm_outcome;

extern const mfm_outcome mfm_outcome_none; /* of an image that was left out */

/* logits [classes], 0 <= label < classes. */
mfm_outcome mfm_outcome_of(const real *logits, int64_t classes, int label);

MFM_C_END

#endif
