/*
 * RandAugment (Cubuk et al., NeurIPS 2020): OPS changes, each drawn from fourteen with replacement,
 * all at one magnitude, a level of 0 .. 30. Ranges, signs and forms are those of torchvision's
 * RandAugment on Pillow's images: shear up to 0.3, translation up to 150/331 of the side, rotation
 * up to 30 degrees, brightness, colour, contrast and sharpness by up to 0.9, posterize down to 4
 * bits, solarize from 255 down; the nearest pixel, black outside.
 */
#include "core/data/augmentations/randaugment.h"

#include <math.h>

#include "core/data/augmentations/colours.h"
#include "core/data/augmentations/place.h"

static const double pi = 3.14159265358979323846;

/* Level of 31 equal steps from low to high, in single precision, from both ends. */
static double level_of(float low, float high, int level)
{
    const int last = MFM_RANDAUGMENT_LEVELS - 1;
    const float step = (high - low) / (float)last;
    const float up = step * (float)level, down = step * (float)(last - level);
    return level < MFM_RANDAUGMENT_LEVELS / 2 ? low + up : high - down;
}

static void identity(mfm_canvas *c, int level, double sign)
{
    (void)c;
    (void)level;
    (void)sign;
}

static void shear_x(mfm_canvas *c, int level, double sign)
{
    const double by = tan(atan(sign * level_of(0, 0.3F, level)));
    mfm_affine(c, (const double[6]){1, by, 0, 0, 1, 0});
}

static void shear_y(mfm_canvas *c, int level, double sign)
{
    const double by = tan(atan(sign * level_of(0, 0.3F, level)));
    mfm_affine(c, (const double[6]){1, 0, 0, by, 1, 0});
}

static void translate_x(mfm_canvas *c, int level, double sign)
{
    const double most = 150.0 / 331 * c->width;
    mfm_affine(c, (const double[6]){1, 0, -trunc(sign * level_of(0, (float)most, level)), 0, 1, 0});
}

static void translate_y(mfm_canvas *c, int level, double sign)
{
    const double most = 150.0 / 331 * c->height;
    mfm_affine(c, (const double[6]){1, 0, 0, 0, 1, -trunc(sign * level_of(0, (float)most, level))});
}

static double rounded(double value)
{
    return rint(value * 1e15) / 1e15;
}

/* Counter-clockwise about the centre. */
static void rotate(mfm_canvas *c, int level, double sign)
{
    const double degrees = fmod(sign * level_of(0, 30, level) + 360, 360);
    if (degrees == 0)
        return;
    const double angle = -(degrees * pi / 180), cx = c->width / 2.0, cy = c->height / 2.0;
    const double cosine = rounded(cos(angle)), sine = rounded(sin(angle));
    mfm_affine(c, (const double[6]){cosine, sine, cosine * -cx + sine * -cy + cx, -sine, cosine,
                                    -sine * -cx + cosine * -cy + cy});
}

static void brightness(mfm_canvas *c, int level, double sign)
{
    mfm_brightness(c, 1 + sign * level_of(0, 0.9F, level));
}

static void colour(mfm_canvas *c, int level, double sign)
{
    mfm_saturation(c, 1 + sign * level_of(0, 0.9F, level));
}

static void contrast(mfm_canvas *c, int level, double sign)
{
    mfm_contrast(c, 1 + sign * level_of(0, 0.9F, level));
}

static void sharpness(mfm_canvas *c, int level, double sign)
{
    mfm_sharpness(c, 1 + sign * level_of(0, 0.9F, level));
}

static void posterize(mfm_canvas *c, int level, double sign)
{
    (void)sign;
    mfm_posterize(c, 8 - (int)rint(level / 7.5));
}

static void solarize(mfm_canvas *c, int level, double sign)
{
    (void)sign;
    mfm_solarize(c, level_of(255, 0, level));
}

static void autocontrast(mfm_canvas *c, int level, double sign)
{
    (void)level;
    (void)sign;
    mfm_autocontrast(c);
}

static void equalize(mfm_canvas *c, int level, double sign)
{
    (void)level;
    (void)sign;
    mfm_equalize(c);
}

static const struct {
    const char *name;
    void (*apply)(mfm_canvas *canvas, int level, double sign);
    bool signs;
} changes[MFM_RANDAUGMENT_CHANGES] = {{"Identity", identity, false},
                                      {"ShearX", shear_x, true},
                                      {"ShearY", shear_y, true},
                                      {"TranslateX", translate_x, true},
                                      {"TranslateY", translate_y, true},
                                      {"Rotate", rotate, true},
                                      {"Brightness", brightness, true},
                                      {"Color", colour, true},
                                      {"Contrast", contrast, true},
                                      {"Sharpness", sharpness, true},
                                      {"Posterize", posterize, false},
                                      {"Solarize", solarize, false},
                                      {"AutoContrast", autocontrast, false},
                                      {"Equalize", equalize, false}};

void mfm_randaugment_apply(mfm_canvas *canvas, int change, int level, bool negative)
{
    changes[change].apply(canvas, level, negative && changes[change].signs ? -1 : 1);
}

const char *mfm_randaugment_name(int change)
{
    return changes[change].name;
}

static void bytes(const double *arguments, mfm_draws *draws, mfm_canvas *canvas)
{
    for (int i = 0; i < (int)arguments[0]; i++) {
        const int change = mfm_draws_below(draws, MFM_RANDAUGMENT_CHANGES);
        const bool negative = mfm_draws_below(draws, 2) == 1;
        mfm_randaugment_apply(canvas, change, (int)arguments[1], negative);
    }
}

const mfm_augmentation mfm_augmentation_randaugment = {
    .name = "randaugment",
    .summary = "OPS changes of fourteen at a MAGNITUDE of 0 to 30 (RandAugment)",
    .arguments = {{"OPS", 2, 0, 16, true}, {"MAGNITUDE", 9, 0, 30, true}},
    .colours = true,
    .bytes = bytes};
