/*
 * What the frozen prefix of a problem makes of images (core/train/problem/problem.h): in inference
 * form, and always the same. So the features of images that are read again and again unchanged may
 * be kept. Both give the same bits: images run in parts of one size, which divides the training
 * batch, and no row of a part depends on where it stands or what stands beside it.
 *
 * An image's features are a row of `width` numbers, output after output; a batch has one array
 * [n, ...] for each output, as the main graph reads them.
 */
#ifndef MFM_FROZEN_FEATURES_H
#define MFM_FROZEN_FEATURES_H

#include "core/train/evaluate.h"

typedef struct mfm_frozen_features mfm_frozen_features;

/* Of a problem with a prefix, which must outlive the result. batch: of training. */
int mfm_frozen_features_new(mfm_ctx *ctx, const mfm_problem *problem, uint32_t batch,
                            mfm_frozen_features **features);
void mfm_frozen_features_free(mfm_frozen_features *features);
/* Multiplications for one image. */
int64_t mfm_frozen_features_products(const mfm_frozen_features *features);
/* Images that run at once. */
uint32_t mfm_frozen_features_part(const mfm_frozen_features *features);
/* Bytes that the features of that many images take. */
size_t mfm_frozen_features_size(const mfm_frozen_features *features, uint64_t count);

/* Arrays for the features of n images, one for each output, 64-byte aligned. */
int mfm_feature_room_new(const mfm_frozen_features *features, uint32_t n, real ***room);
void mfm_feature_room_free(mfm_ctx *ctx, real **room);

/* The features of images [n, height, width, channels]. */
void mfm_frozen_features_make(mfm_frozen_features *features, const real *images, uint32_t n,
                              real *const *to);

/* What is kept (keep_features.h) of images[indices[0 .. n-1]], in the form that evaluation reads:
 * copies 0; or as augmented ones, copy[i] of `copies` each. */
bool mfm_frozen_features_kept(const mfm_frozen_features *features, const mfm_images *images,
                              const uint32_t *indices, uint32_t n, uint32_t copies,
                              const uint32_t *copy); /* images NULL: they are not */
/* The same for every copy of those that are not left out (core/data/sources/source.h). */
bool mfm_frozen_features_kept_all(const mfm_frozen_features *features, const mfm_images *images,
                                  const uint32_t *indices, uint32_t n, uint32_t copies);
/* Of what is kept. MFM_EIO or MFM_EDATA where it lies in a file that has been damaged since. */
int mfm_frozen_features_take(const mfm_frozen_features *features, const mfm_images *images,
                             const uint32_t *indices, uint32_t n, uint32_t copies,
                             const uint32_t *copy, real *const *to);
/* Of one image, as row number `at` of to. */
int mfm_frozen_features_take_one(const mfm_frozen_features *features, const mfm_images *images,
                                 uint32_t index, uint32_t copies, uint32_t copy, uint32_t at,
                                 real *const *to);
/* Of all buffers, with what is kept. */
size_t mfm_frozen_features_bytes(const mfm_frozen_features *features);

#endif
