#include "core/data/augmentations/place.h"

#include <math.h>
#include <string.h>

static void exchange(mfm_canvas *c)
{
    uint8_t *bytes = c->bytes;
    c->bytes = c->spare;
    c->spare = bytes;
}

/* Where position `at` of the padded axis of that size lies; -1 for black. */
static int locate(const mfm_canvas *c, int at, int size)
{
    if (at >= 0 && at < size)
        return at;
    if (c->border != MFM_BORDER_REFLECT)
        return -1;
    return at < 0 ? -at : 2 * (size - 1) - at;
}

void mfm_shift(mfm_canvas *c, int pad, int top, int left)
{
    const size_t pixel = (size_t)c->channels, row = pixel * (size_t)c->width;
    uint8_t *out = c->spare;
    for (int y = 0; y < c->height; y++) {
        const int from = locate(c, y + top - pad, c->height);
        for (int x = 0; x < c->width; x++, out += pixel) {
            const int column = locate(c, x + left - pad, c->width);
            if (from < 0 || column < 0)
                memset(out, 0, pixel);
            else
                memcpy(out, c->bytes + (size_t)from * row + (size_t)column * pixel, pixel);
        }
    }
    exchange(c);
}

void mfm_mirror(mfm_canvas *c)
{
    const size_t pixel = (size_t)c->channels, row = pixel * (size_t)c->width;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++)
            memcpy(c->spare + (size_t)y * row + (size_t)x * pixel,
                   c->bytes + (size_t)y * row + (size_t)(c->width - 1 - x) * pixel, pixel);
    exchange(c);
}

static int64_t fixed(double v)
{
    return (int64_t)floor(v * 65536 + 0.5);
}

/* Pillow takes another way where the axes stay what they are: it adds up in double precision. */
static int scaled_place(double first, double step, int i)
{
    double at = first;
    for (int k = 0; k < i; k++)
        at += step;
    return at < 0 ? -1 : (int)at;
}

static void copy_pixel(const mfm_canvas *c, int64_t x, int64_t y, uint8_t *out)
{
    const size_t pixel = (size_t)c->channels;
    if (x < 0 || y < 0 || x >= c->width || y >= c->height)
        memset(out, 0, pixel);
    else
        memcpy(out, c->bytes + ((size_t)y * (size_t)c->width + (size_t)x) * pixel, pixel);
}

void mfm_affine(mfm_canvas *c, const double a[6])
{
    const bool scales = a[1] == 0 && a[3] == 0;
    const int64_t right = fixed(a[0]), down = fixed(a[4]), skew_x = fixed(a[1]),
                  skew_y = fixed(a[3]);
    const int64_t first_x = fixed(a[2] + a[0] * 0.5 + a[1] * 0.5);
    const int64_t first_y = fixed(a[5] + a[3] * 0.5 + a[4] * 0.5);
    uint8_t *out = c->spare;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, out += c->channels) {
            if (scales)
                copy_pixel(c, scaled_place(a[2] + a[0] * 0.5, a[0], x),
                           scaled_place(a[5] + a[4] * 0.5, a[4], y), out);
            else
                copy_pixel(c, (first_x + x * right + y * skew_x) >> 16,
                           (first_y + x * skew_y + y * down) >> 16, out);
        }
    exchange(c);
}
