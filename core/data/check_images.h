/* Whether the images of a part can be read: each is decoded, by as many threads as OpenMP has. */
#ifndef MFM_CHECK_IMAGES_H
#define MFM_CHECK_IMAGES_H

#include "core/data/sources/dataset.h"

/* *failed of the part's images cannot be read, each of which a warning names. Images in memory all
 * can. */
int mfm_images_check(mfm_ctx *ctx, const mfm_images *images, uint32_t *failed);

#endif
