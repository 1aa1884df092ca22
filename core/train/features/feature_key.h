/*
 * What makes a row of features that it is: two keys. That of a prefix is the same for rows that may
 * lie in one file: what is computed, from which numbers, on images prepared how, in parts of which
 * size, by which version. The name of a row tells the image by its content,
 * and which augmented copy of it: the same image under another name, in another split or another
 * order has the same row.
 */
#ifndef MFM_FEATURE_KEY_H
#define MFM_FEATURE_KEY_H

#include "core/base/digest.h"
#include "core/data/preprocess.h"
#include "core/train/problem/problem.h"

/* part: images that run at once. */
mfm_digest mfm_feature_key(const mfm_prefix *prefix, const mfm_preprocess *preprocess,
                           uint32_t part);

/* image: its digest (core/data/image_digests.h), which is the name of its plain form. */
mfm_digest mfm_feature_copy_name(mfm_digest image, const mfm_augment *augment, uint64_t seed,
                                 uint32_t index, uint32_t copy);

#endif
