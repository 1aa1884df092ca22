/*
 * A rectangle of 8 to 100 % of the image and of a ratio of sides of 3/4 to 4/3, resized to the
 * model's input (Szegedy et al., CVPR 2015), with the fallback of torchvision's RandomResizedCrop:
 * area and ratio are drawn until the rectangle fits; after ten attempts it is the largest of a
 * ratio within the bounds, in the centre.
 */
#include <math.h>

#include "core/data/augmentations/augmentation.h"

enum { ATTEMPTS = 10 };

static mfm_rectangle crop(const double *arguments, mfm_draws *draws, int height, int width)
{
    const double least = 3.0 / 4, most = 4.0 / 3;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        const double area = mfm_draws_between(draws, arguments[0], 1) * height * width;
        const double ratio = exp(mfm_draws_between(draws, log(least), log(most)));
        const int w = (int)rint(sqrt(area * ratio)), h = (int)rint(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > width || h > height)
            continue;
        const int top = mfm_draws_below(draws, height - h + 1);
        return (mfm_rectangle){top, mfm_draws_below(draws, width - w + 1), h, w};
    }
    mfm_rectangle r = {.height = height, .width = width};
    if (width < least * height)
        r.height = (int)rint(width / least);
    else if (width > most * height)
        r.width = (int)rint(height * most);
    r.top = (height - r.height) / 2;
    r.left = (width - r.width) / 2;
    return r;
}

const mfm_augmentation mfm_augmentation_resized_crop = {
    .name = "resized-crop",
    .summary = "a part of at least SHARE of the image, resized to the model's input",
    .arguments = {{"SHARE", 0.08, 0.001, 1, false}},
    .crop = crop};
