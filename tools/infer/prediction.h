/*
 * A classifier over image files: each is decoded and preprocessed as evaluation does, and gets the
 * probabilities of the classes, the softmax of its logits. A file that cannot be read, or for which
 * the outputs are not numbers, has a message instead.
 */
#ifndef MFM_PREDICTION_H
#define MFM_PREDICTION_H

#include "core/data/preprocess.h"
#include "core/train/problem/problem.h"

typedef struct mfm_predictor mfm_predictor;

/* problem and preprocess must outlive the result, which is NULL after an error. images: about how
 * many will come. */
int mfm_predictor_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_preprocess *preprocess,
                      size_t images, mfm_predictor **predictor);
void mfm_predictor_free(mfm_predictor *predictor);
/* Images at once. */
size_t mfm_predictor_batch(const mfm_predictor *predictor);
/* Up to a batch of files. MFM_ENOMEM; a bad file is no failure. */
int mfm_predict(mfm_predictor *predictor, char *const *paths, size_t count);
/* Of number `index` among the last: why it has no probabilities, which begins with its path; NULL.
 */
const char *mfm_prediction_failure(const mfm_predictor *predictor, size_t index);
/* [classes]; NULL: none. */
const double *mfm_prediction_probabilities(const mfm_predictor *predictor, size_t index);

#endif
