/*
 * Yun et al., "CutMix", ICCV 2019: a rectangle of the other image is pasted. lambda ~ Beta(alpha,
 * alpha); the rectangle has sqrt(1 - lambda) of each side, its centre is uniform, what sticks out
 * is cut off, and the label's share is the area that is left.
 */
#include <math.h>
#include <string.h>

#include "core/data/mixing/mixing.h"

typedef struct cutmix_values {
    double alpha, probability;
} cutmix_values;

static const cutmix_values defaults = {.alpha = 1, .probability = 0.5};
static const mfm_option table[] = {
    {.name = "cutmix-alpha",
     .kind = MFM_OPTION_REAL,
     .value = "A",
     .min = 1e-3,
     .max = 1e3,
     .offset = offsetof(cutmix_values, alpha),
     .help = "areas are drawn from Beta(A, A)"},
    {.name = "cutmix-probability",
     .kind = MFM_OPTION_REAL,
     .value = "P",
     .max = 1,
     .offset = offsetof(cutmix_values, probability),
     .help = "share of the batches that are mixed"},
};
static const mfm_settings settings = MFM_SETTINGS("Mixing by CutMix", table, defaults);

/* Draws besides those of lambda, which are numbered from 0. */
enum { DRAW_MIX = 1 << 21, DRAW_ROW, DRAW_COLUMN };

/* The rectangle's extent along a side of `size` pixels. */
static void extent(const mfm_mix *m, uint64_t draw, int size, double lambda, int *from, int *to)
{
    const int cut = (int)(size * sqrt(1 - lambda));
    const int centre = (int)mfm_random_below(&m->key, draw, (uint64_t)size);
    *from = centre - cut / 2 > 0 ? centre - cut / 2 : 0;
    *to = centre + cut / 2 < size ? centre + cut / 2 : size;
}

static void mix(const mfm_mix *m, const void *values)
{
    const cutmix_values *v = values;
    const double lambda = mfm_random_beta(&m->key, 0, v->alpha);
    int top = 0, bottom = 0, left = 0, right = 0;
    if (mfm_random_uniform(&m->key, DRAW_MIX) < v->probability) {
        extent(m, DRAW_ROW, m->height, lambda, &top, &bottom);
        extent(m, DRAW_COLUMN, m->width, lambda, &left, &right);
    }
    const size_t row = (size_t)(m->width * m->channels), size = row * (size_t)m->height;
    const size_t at = (size_t)(left * m->channels), length = (size_t)((right - left) * m->channels);
    const double area = (double)(bottom - top) * (right - left);
    for (int64_t i = 0; i < m->n; i++) {
        for (int y = top; y < bottom && length; y++)
            memcpy(m->images + (size_t)i * size + (size_t)y * row + at,
                   m->before + (size_t)m->other[i] * size + (size_t)y * row + at,
                   length * sizeof(real));
        mfm_mix_label(m, i, 1 - area / ((double)m->height * m->width));
    }
}

const mfm_mixing mfm_mixing_cutmix = {
    .name = "cutmix",
    .summary = "a rectangle of another image pasted in",
    .settings = {&settings},
    .pastes = true,
    .mix = mix,
};
