/*
 * Random erasing (Zhong et al., AAAI 2020), as torchvision's RandomErasing has it: with probability
 * P a rectangle of 2 to 33 % of the image and of a ratio of sides of 0.3 to 3.3 becomes 0 after
 * normalisation, which is the mean; where none fits after ten attempts nothing is erased.
 */
#include <math.h>

#include "core/data/augmentations/augmentation.h"

enum { ATTEMPTS = 10 };

static bool choose(mfm_draws *draws, int height, int width, mfm_rectangle *r)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        const double area = mfm_draws_between(draws, 0.02, 0.33) * height * width;
        const double ratio = exp(mfm_draws_between(draws, log(0.3), log(3.3)));
        const int h = (int)rint(sqrt(area * ratio)), w = (int)rint(sqrt(area / ratio));
        if (h < 1 || w < 1 || h >= height || w >= width)
            continue;
        const int top = mfm_draws_below(draws, height - h + 1);
        *r = (mfm_rectangle){top, mfm_draws_below(draws, width - w + 1), h, w};
        return true;
    }
    return false;
}

static void numbers(const double *arguments, mfm_draws *draws, int height, int width, int channels,
                    real *out)
{
    mfm_rectangle r;
    if (mfm_draws_uniform(draws) >= arguments[0] || !choose(draws, height, width, &r))
        return;
    for (int y = r.top; y < r.top + r.height; y++) {
        real *row = out + ((size_t)y * (size_t)width + (size_t)r.left) * (size_t)channels;
        for (int i = 0; i < r.width * channels; i++)
            row[i] = 0;
    }
}

const mfm_augmentation mfm_augmentation_erasing = {
    .name = "erasing",
    .summary = "with probability P a rectangle of 2 to 33 % becomes the mean",
    .arguments = {{"P", 0.5, 0, 1, false}},
    .numbers = numbers};
