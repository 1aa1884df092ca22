/* A picture of any size becomes the bytes of a model's input: cropped, resized, made grey. */
#ifndef MFM_FIT_PICTURE_H
#define MFM_FIT_PICTURE_H

#include "core/data/images/resize.h"
#include "core/data/preprocess.h"
#include "core/data/sources/source.h"

/* Working memory; zeroed at first. */
typedef struct mfm_fitting {
    mfm_resizer resizer;
    uint8_t *colours; /* of a model that reads grey */
} mfm_fitting;

void mfm_fitting_clear(mfm_fitting *fitting);
/* Bytes of a fitted image, [height, width, channels]. */
size_t mfm_fitted_size(const mfm_preprocess *preprocess);

/* ITU-R BT.601's luma, in the integers that Pillow's convert("L") uses. */
static inline uint8_t mfm_grey_of(const uint8_t colour[3])
{
    return (uint8_t)((colour[0] * 19595 + colour[1] * 38470 + colour[2] * 7471 + 0x8000) >> 16);
}

/* Of the picture that the reader has begun. draw NULL, or no random crop: the centre. Fails by what
 * the reader's picture then tells. */
int mfm_fit_picture(mfm_fitting *fitting, mfm_reader *reader, const mfm_preprocess *preprocess,
                    const mfm_draw *draw, uint8_t *out);

#endif
