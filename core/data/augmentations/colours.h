/*
 * Changes of the colours of a canvas of one or three channels, red, green and blue, byte for byte
 * what Pillow's ImageEnhance, ImageOps and HSV mode give, which torchvision's transforms call.
 */
#ifndef MFM_AUGMENTATIONS_COLOURS_H
#define MFM_AUGMENTATIONS_COLOURS_H

#include "core/data/augmentations/augmentation.h"

/* Each is a mixture of the image, in the share `factor`, and of: black; its mean grey; its own
 * grey; itself smoothed. Factor 1 changes nothing; saturation nothing of grey. */
void mfm_brightness(mfm_canvas *canvas, double factor);
void mfm_contrast(mfm_canvas *canvas, double factor);
void mfm_saturation(mfm_canvas *canvas, double factor);
void mfm_sharpness(mfm_canvas *canvas, double factor);
/* Turns hues by that share of the circle, -0.5 to 0.5. */
void mfm_hue(mfm_canvas *canvas, double turn);
/* Keeps that many bits of each byte. */
void mfm_posterize(mfm_canvas *canvas, int bits);
/* Inverts bytes from the threshold up. */
void mfm_solarize(mfm_canvas *canvas, double threshold);
/* Each channel's least byte becomes 0, its greatest 255. */
void mfm_autocontrast(mfm_canvas *canvas);
/* Flattens each channel's histogram. */
void mfm_equalize(mfm_canvas *canvas);

#endif
