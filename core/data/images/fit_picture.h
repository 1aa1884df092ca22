/*
 * A picture of any size becomes the bytes that preprocessing begins with: cropped, resized, made
 * grey where the model reads grey.
 *
 * In two steps, so that a decoder can leave out what nobody will see: by the size alone it is
 * chosen what is read, and then, when the pixels are there, it is.
 */
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

/* What is read of a picture of height x width. */
typedef struct mfm_fit {
    int height, width;
    mfm_rectangle part;
    mfm_window window; /* of what that part is resized to */
    int reduce;        /* by which a decoder may divide the sides */
} mfm_fit;

void mfm_fitting_clear(mfm_fitting *fitting);
/* Bytes of a fitted image, [source_height, source_width, source_channels]. */
size_t mfm_fitted_size(const mfm_preprocess *preprocess);

/* ITU-R BT.601's luma, in the integers that Pillow's convert("L") uses. */
static inline uint8_t mfm_grey_of(const uint8_t colour[3])
{
    return (uint8_t)((colour[0] * 19595 + colour[1] * 38470 + colour[2] * 7471 + 0x8000) >> 16);
}

/* draw NULL, or no random crop: the centre. */
mfm_fit mfm_fit_choose(const mfm_preprocess *preprocess, int height, int width,
                       const mfm_draw *draw);
/* Of the picture's pixels, which may be smaller by up to `reduce`. MFM_ENOMEM. */
int mfm_fit_picture(mfm_fitting *fitting, const mfm_preprocess *preprocess, const mfm_fit *fit,
                    const mfm_picture *picture, uint8_t *out);

#endif
