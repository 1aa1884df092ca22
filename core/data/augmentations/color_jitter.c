/*
 * Brightness, contrast and saturation changed by factors from 1 - X to 1 + X, the hue by up to X of
 * the circle, in random order, as torchvision's ColorJitter does.
 */
#include "core/data/augmentations/colours.h"

enum { CHANGES = 4 };

static void apply(mfm_canvas *canvas, int change, double x, double uniform)
{
    static void (*const mixes[])(mfm_canvas *, double) = {mfm_brightness, mfm_contrast,
                                                          mfm_saturation};
    const double low = x < 1 ? 1 - x : 0;
    if (x == 0)
        return;
    if (change == CHANGES - 1)
        mfm_hue(canvas, x * (2 * uniform - 1));
    else
        mixes[change](canvas, low + (1 + x - low) * uniform);
}

static void bytes(const double *arguments, mfm_draws *draws, mfm_canvas *canvas)
{
    int order[CHANGES] = {0, 1, 2, 3};
    for (int i = CHANGES - 1; i > 0; i--) {
        const int k = mfm_draws_below(draws, i + 1), other = order[k];
        order[k] = order[i];
        order[i] = other;
    }
    for (int i = 0; i < CHANGES; i++)
        apply(canvas, order[i], arguments[order[i]], mfm_draws_uniform(draws));
}

const mfm_augmentation mfm_augmentation_color_jitter = {
    .name = "color-jitter",
    .summary = "brightness, contrast, saturation and hue, each changed by up to its number",
    .arguments = {{"BRIGHTNESS", 0.4, 0, 10, false},
                  {"CONTRAST", 0.4, 0, 10, false},
                  {"SATURATION", 0.4, 0, 10, false},
                  {"HUE", 0, 0, 0.5, false}},
    .colours = true,
    .bytes = bytes};
