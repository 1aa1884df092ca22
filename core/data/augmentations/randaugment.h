/* The changes that RandAugment chooses from. */
#ifndef MFM_AUGMENTATIONS_RANDAUGMENT_H
#define MFM_AUGMENTATIONS_RANDAUGMENT_H

#include "core/data/augmentations/augmentation.h"

enum { MFM_RANDAUGMENT_CHANGES = 14, MFM_RANDAUGMENT_LEVELS = 31 };

/* Change number 0 .. 13, in the order of torchvision's table, at a level of 0 .. 30; negative:
 * against its direction, where it has one. */
void mfm_randaugment_apply(mfm_canvas *canvas, int change, int level, bool negative);
const char *mfm_randaugment_name(int change);

#endif
