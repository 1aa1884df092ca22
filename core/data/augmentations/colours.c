/* Built without contraction: a product and a sum that are rounded once would give other bytes. */
#include "core/data/augmentations/colours.h"

#include <math.h>
#include <string.h>

static size_t places_of(const mfm_canvas *c)
{
    return (size_t)c->height * (size_t)c->width;
}

/* ITU-R BT.601's luma, in the integers that Pillow's convert("L") uses. */
static uint8_t grey_of(const uint8_t *colour)
{
    return (uint8_t)((colour[0] * 19595 + colour[1] * 38470 + colour[2] * 7471 + 0x8000) >> 16);
}

/* from + share (to - from), cut off after the point. */
static uint8_t mix(int from, int to, float share)
{
    if (share == 1)
        return (uint8_t)to;
    const float product = share * (float)(to - from);
    const float value = (float)from + product;
    return (uint8_t)(value <= 0 ? 0 : value >= 255 ? 255 : value);
}

static void mix_with(mfm_canvas *c, int other, double factor)
{
    uint8_t table[256];
    const size_t size = places_of(c) * (size_t)c->channels;
    for (int i = 0; i < 256; i++)
        table[i] = mix(other, i, (float)factor);
    for (size_t i = 0; i < size; i++)
        c->bytes[i] = table[c->bytes[i]];
}

void mfm_brightness(mfm_canvas *c, double factor)
{
    mix_with(c, 0, factor);
}

void mfm_contrast(mfm_canvas *c, double factor)
{
    const size_t places = places_of(c);
    double sum = 0;
    for (size_t i = 0; i < places; i++)
        sum += c->channels == 3 ? grey_of(c->bytes + 3 * i) : c->bytes[i];
    mix_with(c, (int)(sum / (double)places + 0.5), factor);
}

void mfm_saturation(mfm_canvas *c, double factor)
{
    const size_t places = c->channels == 3 ? places_of(c) : 0;
    for (size_t i = 0; i < places; i++) {
        uint8_t *colour = c->bytes + 3 * i;
        const int grey = grey_of(colour);
        for (int k = 0; k < 3; k++)
            colour[k] = mix(grey, colour[k], (float)factor);
    }
}

/* Three neighbours of a row by their weights. */
static float weigh(const uint8_t *at, int step, float side, float centre)
{
    const float left = (float)at[-step] * side, middle = (float)at[0] * centre;
    const float right = (float)at[step] * side;
    const float both = left + middle;
    return both + right;
}

/* 3 x 3, the centre five times; the outermost pixels stay. */
static void smooth(const mfm_canvas *c, uint8_t *out)
{
    const int d = c->channels, row = d * c->width;
    const float side = 1.0F / 13, centre = 5.0F / 13;
    memcpy(out, c->bytes, (size_t)row * (size_t)c->height);
    for (int y = 1; y + 1 < c->height; y++)
        for (int i = d; i < row - d; i++) {
            const uint8_t *at = c->bytes + (size_t)y * (size_t)row + i;
            float sum = 0.5F;
            sum += weigh(at + row, d, side, side);
            sum += weigh(at, d, side, centre);
            sum += weigh(at - row, d, side, side);
            out[y * row + i] = (uint8_t)(sum >= 255 ? 255 : sum);
        }
}

void mfm_sharpness(mfm_canvas *c, double factor)
{
    const size_t size = places_of(c) * (size_t)c->channels;
    if (c->height < 3 || c->width < 3)
        return;
    smooth(c, c->spare);
    for (size_t i = 0; i < size; i++)
        c->bytes[i] = mix(c->spare[i], c->bytes[i], (float)factor);
}

/* ---- hue ---- */

static uint8_t clipped(double value)
{
    const int whole = (int)value;
    return (uint8_t)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
}

static void to_hsv(const uint8_t *rgb, uint8_t *hsv)
{
    const uint8_t r = rgb[0], g = rgb[1], b = rgb[2];
    const uint8_t most = r > g ? (r > b ? r : b) : (g > b ? g : b);
    const uint8_t least = r < g ? (r < b ? r : b) : (g < b ? g : b);
    hsv[0] = hsv[1] = 0;
    hsv[2] = most;
    if (most == least)
        return;
    const float range = (float)(most - least), s = range / (float)most;
    const float rc = (float)(most - r) / range, gc = (float)(most - g) / range;
    const float bc = (float)(most - b) / range;
    const float sixths = r == most   ? bc - gc
                         : g == most ? (float)(2.0 + rc - bc)
                                     : (float)(4.0 + gc - rc);
    const float h = (float)fmod(sixths / 6.0 + 1.0, 1.0);
    hsv[0] = clipped(h * 255.0);
    hsv[1] = clipped(s * 255.0);
}

static void to_rgb(const uint8_t *hsv, uint8_t *rgb)
{
    /* Which of v, p, q, t red, green and blue are, for each sixth of the circle. */
    static const uint8_t of[6][3] = {{0, 3, 1}, {2, 0, 1}, {1, 0, 3},
                                     {1, 2, 0}, {3, 1, 0}, {0, 1, 2}};
    const uint8_t v = hsv[2];
    if (hsv[1] == 0) {
        rgb[0] = rgb[1] = rgb[2] = v;
        return;
    }
    const int sixth = (int)floor((float)hsv[0] * 6.0 / 255.0);
    const float f = (float)((float)hsv[0] * 6.0 / 255.0 - (float)sixth);
    const float s = (float)((float)hsv[1] / 255.0);
    const uint8_t value[4] = {v, clipped(round((float)v * (1.0 - s))),
                              clipped(round((float)v * (1.0 - s * f))),
                              clipped(round((float)v * (1.0 - s * (1.0 - f))))};
    for (int k = 0; k < 3; k++)
        rgb[k] = value[of[sixth % 6][k]];
}

void mfm_hue(mfm_canvas *c, double turn)
{
    const size_t places = c->channels == 3 ? places_of(c) : 0;
    const int by = (int)(turn * 255);
    for (size_t i = 0; i < places; i++) {
        uint8_t hsv[3];
        to_hsv(c->bytes + 3 * i, hsv);
        hsv[0] = (uint8_t)(hsv[0] + by);
        to_rgb(hsv, c->bytes + 3 * i);
    }
}

/* ---- tables for each channel ---- */

void mfm_posterize(mfm_canvas *c, int bits)
{
    const size_t size = places_of(c) * (size_t)c->channels;
    for (size_t i = 0; i < size; i++)
        c->bytes[i] &= (uint8_t)(0xFF << (8 - bits));
}

void mfm_solarize(mfm_canvas *c, double threshold)
{
    const size_t size = places_of(c) * (size_t)c->channels;
    for (size_t i = 0; i < size; i++)
        if (c->bytes[i] >= threshold)
            c->bytes[i] = (uint8_t)(255 - c->bytes[i]);
}

static void stretch(const uint64_t *occurs, uint64_t total, uint8_t *table)
{
    int low = 0, high = 255;
    (void)total;
    while (low < 255 && occurs[low] == 0)
        low++;
    while (high > 0 && occurs[high] == 0)
        high--;
    if (high <= low)
        return;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    for (int i = 0; i < 256; i++) {
        const double product = i * scale;
        table[i] = clipped(product + offset);
    }
}

static void flatten(const uint64_t *occurs, uint64_t total, uint8_t *table)
{
    int last = 255, forms = 0;
    for (int i = 0; i < 256; i++)
        forms += occurs[i] > 0;
    while (last > 0 && occurs[last] == 0)
        last--;
    const uint64_t step = (total - occurs[last]) / 255;
    if (forms <= 1 || step == 0)
        return;
    uint64_t n = step / 2;
    for (int i = 0; i < 256; i++) {
        table[i] = (uint8_t)(n / step > 255 ? 255 : n / step);
        n += occurs[i];
    }
}

/* table holds every byte itself, and is changed by what the channel's bytes are. */
static void by_histogram(mfm_canvas *c,
                         void (*make)(const uint64_t *occurs, uint64_t total, uint8_t *table))
{
    const size_t places = places_of(c), channels = (size_t)c->channels;
    for (size_t k = 0; k < channels; k++) {
        uint64_t occurs[256] = {0};
        uint8_t table[256];
        for (int i = 0; i < 256; i++)
            table[i] = (uint8_t)i;
        for (size_t i = 0; i < places; i++)
            occurs[c->bytes[i * channels + k]]++;
        make(occurs, places, table);
        for (size_t i = 0; i < places; i++)
            c->bytes[i * channels + k] = table[c->bytes[i * channels + k]];
    }
}

void mfm_autocontrast(mfm_canvas *c)
{
    by_histogram(c, stretch);
}

void mfm_equalize(mfm_canvas *c)
{
    by_histogram(c, flatten);
}
