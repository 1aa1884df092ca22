/* What tells images from each other by their content: of one in memory its pixels, of one in a file
 * the file's bytes. Files are read by all of OpenMP's threads. */
#ifndef MFM_IMAGE_DIGESTS_H
#define MFM_IMAGE_DIGESTS_H

#include "core/base/digest.h"
#include "core/data/preprocess.h"
#include "core/data/sources/dataset.h"

/* digests [count], of images[indices[0 .. count-1]]. known [count]: whether the image could be
 * read; where not, its digest is 0, and whoever needs the image will hear why. MFM_ENOMEM. */
int mfm_image_digests(mfm_ctx *ctx, const mfm_images *images, const mfm_preprocess *preprocess,
                      const uint32_t *indices, uint32_t count, mfm_digest *digests, bool *known);

#endif
