/*
 * Frozen features: what the classifier of a problem reads, made by nodes that no step changes. They
 * run in inference form (running statistics, no dropout) over the images of a batch; or once over
 * all images, whose features then stay in memory. Both give the same bits: a batch has one size,
 * and no row of it depends on where it stands or what stands beside it.
 */
#ifndef MFM_FROZEN_FEATURES_H
#define MFM_FROZEN_FEATURES_H

#include "core/train/evaluate.h"

/* The nodes that make the features become MFM_SEGMENT_SHARED, all others of the plain path
 * MFM_SEGMENT_PLAIN; of the parameters only the classifier's own can be trained from now on. Before
 * mfm_problem_finish. `what` wants it. MFM_ENOTSUP: the logits are not made by a fully connected
 * layer, or its parameters also make the features. */
int mfm_problem_freeze_features(mfm_problem *problem, const char *what);

typedef struct mfm_frozen_features mfm_frozen_features;

/* segments: those of the nodes that make them, as a set; after mfm_problem_freeze_features
 * MFM_SEGMENT_SHARED alone. problem must outlive the result, and so must params and state, whose
 * part below the classifier stays as it is. */
int mfm_frozen_features_new(mfm_ctx *ctx, const mfm_problem *problem, uint32_t segments,
                            int64_t batch, real *params, real *state,
                            mfm_frozen_features **features);
void mfm_frozen_features_free(mfm_frozen_features *features);

/* Bytes that the features of that many images take. */
size_t mfm_frozen_features_size(const mfm_frozen_features *features, uint32_t count);
/* Keeps the features of images[indices[0 .. count-1]], without augmentation. Fails by the watch
 * (NULL: nobody's) or for want of memory; nothing is kept then. */
int mfm_frozen_features_keep(mfm_frozen_features *features, const mfm_images *images,
                             const mfm_preprocess *preprocess, const uint32_t *indices,
                             uint32_t count, const mfm_evaluation_watch *watch);
bool mfm_frozen_features_kept(const mfm_frozen_features *features);

/* [count, width], in the order of the indices; NULL when none are kept. */
const real *mfm_frozen_features_rows(const mfm_frozen_features *features, size_t *width);

/* to [batch, width]: of the batch's images; when they are kept, those of its indices. */
void mfm_frozen_features_of(mfm_frozen_features *features, const mfm_batch *batch, real *to);
/* Of all buffers, with what is kept. */
size_t mfm_frozen_features_bytes(const mfm_frozen_features *features);

#endif
