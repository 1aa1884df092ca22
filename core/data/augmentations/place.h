/* Moving the pixels of a canvas. */
#ifndef MFM_AUGMENTATIONS_PLACE_H
#define MFM_AUGMENTATIONS_PLACE_H

#include "core/data/augmentations/augmentation.h"

/* The canvas padded by `pad` on each side, as its border says, and cut to size at (top, left), both
 * in 0 .. 2 pad. */
void mfm_shift(mfm_canvas *canvas, int pad, int top, int left);
/* Left to right. */
void mfm_mirror(mfm_canvas *canvas);
/* Pixel (x, y) becomes that at (a[0] x + a[1] y + a[2], a[3] x + a[4] y + a[5]) for centres of
 * pixels, the nearest one; black outside. What Pillow's Image.transform(AFFINE, NEAREST) computes,
 * in its fixed point of 16 bits. */
void mfm_affine(mfm_canvas *canvas, const double a[6]);

#endif
