/* A classifier's predictions over a part of a dataset, in inference mode. */
#ifndef MFM_EVALUATE_H
#define MFM_EVALUATE_H

#include "core/data/feed.h"
#include "core/base/linkage.h"
#include "core/engine/plan/plan.h"
#include "core/report/confusion.h"
#include "core/report/outcome.h"
#include "core/train/problem/problem.h"

MFM_C_BEGIN

/* The plan of evaluation: one pass, number 0, from the images to the logits of a batch. Parameters,
 * running statistics and images are to be bound. */
int mfm_inference_plan(mfm_ctx *ctx, const mfm_problem *problem, int64_t batch, mfm_plan **plan);

struct mfm_comm;
struct mfm_frozen_features;
/* Images that such a plan is for: up to 100, so many as a second is enough for, then in whole parts
 * of what makes the features (NULL: the problem has no prefix). */
int mfm_evaluation_batch(mfm_ctx *ctx, const mfm_problem *problem,
                         const struct mfm_frozen_features *features, int64_t *batch);

typedef struct mfm_evaluator mfm_evaluator;

/* problem and preprocess must outlive the result. */
int mfm_evaluator_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_preprocess *preprocess,
                      int64_t batch, mfm_evaluator **evaluator);
void mfm_evaluator_free(mfm_evaluator *evaluator);
/* For a problem with a prefix, once: what makes, or keeps, the features of the images. */
int mfm_evaluator_use_features(mfm_evaluator *evaluator, struct mfm_frozen_features *features);

/* From here on evaluations are those of all these ranks, each of which runs a part of the images
 * and gets the results of all, which are those of one (NULL: of this process alone). */
void mfm_evaluator_share(mfm_evaluator *evaluator, struct mfm_comm *comm);

/* Who follows an evaluation: told after each batch, where a negative result ends it with that code,
 * and of each image in its turn, those left out too (NULL: not wanted; for those who are alone). */
typedef struct mfm_evaluation_watch {
    void *self;
    int (*on_batch)(void *self, uint32_t done, uint32_t total); /* images */
    void (*on_image)(void *self, const mfm_outcome *outcome, const real *logits);
} mfm_evaluation_watch;

/* Runs all images with the given parameters and running statistics; confusion is reset first and
 * must have the model's number of classes or more. *loss is the mean cross-entropy, NAN without
 * images. Those that are left out (core/data/sources/dataset.h) count nowhere. An image with
 * outputs that are not numbers is undecided, which a warning says. Labels must be below the model's
 * classes. Fails by the watch (NULL: nobody's), an image that cannot be read, or for want of
 * memory; confusion and *loss then hold nothing of use. */
int mfm_evaluate(mfm_evaluator *evaluator, const mfm_images *images, real *params, real *state,
                 const mfm_evaluation_watch *watch, mfm_confusion *confusion, double *loss);

/* The same for some of the images: those of indices [count]; NULL: the first `count`. */
int mfm_evaluate_some(mfm_evaluator *evaluator, const mfm_images *images, const uint32_t *indices,
                      uint32_t count, real *params, real *state, const mfm_evaluation_watch *watch,
                      mfm_confusion *confusion, double *loss);

MFM_C_END

#endif
