/* Images as they are evaluated, one after the other and without augmentation. What has to be
 * decoded is read by all of OpenMP's threads. */
#ifndef MFM_EVALUATION_IMAGES_H
#define MFM_EVALUATION_IMAGES_H

#include "core/data/sources/dataset.h"
#include "core/data/preprocess.h"

typedef struct mfm_evaluation_images mfm_evaluation_images;

/* indices: those of the part that are read, in their order; NULL: all. It, images, preprocess and
 * the context must outlive the result, which is NULL after an error. */
int mfm_evaluation_images_open(mfm_ctx *ctx, const mfm_images *images, const uint32_t *indices,
                               const mfm_preprocess *preprocess, mfm_evaluation_images **result);
/* From now on each image is this one of its augmented copies instead (core/data/feed.h). */
void mfm_evaluation_images_copy(mfm_evaluation_images *e, uint64_t seed, uint32_t copy);
void mfm_evaluation_images_close(mfm_evaluation_images *e);
/* Numbers first .. first + count - 1 of them: out [count, height, width, channels] and, unless
 * NULL, labels [count]. Fails by the first that cannot be read; where such images are left out, and
 * labels are wanted, theirs is MFM_LEFT_OUT instead. */
enum { MFM_LEFT_OUT = -1 };
int mfm_evaluation_images_read(mfm_evaluation_images *e, uint32_t first, uint32_t count, real *out,
                               real *labels);

#endif
