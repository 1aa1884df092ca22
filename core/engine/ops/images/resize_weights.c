/*
 * The weights of Resize along one axis. Places are reckoned in float, operation by operation as
 * ONNX Runtime does, so that a nearest neighbour is the same one where two are equally near.
 *
 * linear: at x between i and i + 1 the weights are 1 - t and t, t = x - i.
 * cubic (Keys 1981), with coefficient a:
 *     w(d) = (a + 2) d^3 - (a + 3) d^2 + 1   for d = |x - i| <= 1,
 *            a d^3 - 5 a d^2 + 8 a d - 4 a   for d < 2.
 * Neighbours beyond the ends are those at the ends, or, with exclude_outside, left out, and the
 * other weights brought to the sum 1.
 *
 * antialias: where an axis shrinks, by s < 1, the kernel w, for linear 1 - |d|, is stretched to
 * take in all numbers that the result stands for: the weights are w(s (x - i)), brought to the
 * sum 1.
 */
#include <math.h>

#include "core/engine/ops/images/resize.h"

/* How far the kernels reach. */
static double reach(int mode)
{
    return mode == MFM_RESIZE_LINEAR ? 1 : 2;
}

static bool is_stretched(const mfm_resize_attr *attr, float scale)
{
    return attr->antialias && scale < 1 && attr->mode != MFM_RESIZE_NEAREST;
}

int mfm_resize_taps(const mfm_resize_attr *attr, float scale)
{
    static const int taps[] = {
        [MFM_RESIZE_NEAREST] = 1, [MFM_RESIZE_LINEAR] = 2, [MFM_RESIZE_CUBIC] = 4};
    if (is_stretched(attr, scale))
        return 2 * (int)ceil(reach(attr->mode) / (double)scale);
    return taps[attr->mode];
}

static float place_in_input(int place, float m, float scale, float from, float to, float begin,
                            float end)
{
    switch ((enum mfm_resize_place)place) {
    case MFM_RESIZE_HALF_PIXEL:
        break;
    case MFM_RESIZE_HALF_PIXEL_SYMMETRIC: {
        const float adjustment = to / (scale * from), center = from / 2;
        return center * (1 - adjustment) + (m + 0.5F) / scale - 0.5F;
    }
    case MFM_RESIZE_PYTORCH_HALF_PIXEL:
        return to > 1 ? (m + 0.5F) / scale - 0.5F : 0;
    case MFM_RESIZE_ALIGN_CORNERS:
        return to == 1 ? 0 : m * (from - 1) / (to - 1);
    case MFM_RESIZE_ASYMMETRIC:
        return m / scale;
    case MFM_RESIZE_CROP:
        return to > 1 ? begin * (from - 1) + m * (end - begin) * (from - 1) / (to - 1)
                      : 0.5F * (begin + end) * (from - 1);
    case MFM_RESIZE_TF_HALF_PIXEL_FOR_NN:
        return (m + 0.5F) / scale;
    }
    return (m + 0.5F) / scale - 0.5F;
}

static float nearest(int kind, float x, float scale)
{
    switch ((enum mfm_resize_nearest)kind) {
    case MFM_RESIZE_ROUND_PREFER_FLOOR:
        return x == truncf(x) + 0.5F ? floorf(x) : roundf(x);
    case MFM_RESIZE_ROUND_PREFER_CEIL:
        return roundf(x);
    case MFM_RESIZE_FLOOR:
        return floorf(x);
    case MFM_RESIZE_CEIL:
        return ceilf(x);
    case MFM_RESIZE_SIMPLE:
        break;
    }
    return scale < 1 ? ceilf(x) : truncf(x);
}

static double cubic(double a, double d)
{
    d = fabs(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static int32_t clamp(double i, int64_t length)
{
    const double last = (double)(length - 1);
    return (int32_t)(i < 0 ? 0 : i > last ? last : i);
}

static void add_linear(float x, int64_t length, int32_t *source, real *weight)
{
    const float last = (float)(length - 1), at = x < 0 ? 0 : x > last ? last : x;
    const double i = floorf(at), t = (double)at - i;
    source[0] = clamp(i, length);
    source[1] = clamp(i + 1, length);
    weight[0] = (real)(1 - t);
    weight[1] = (real)t;
}

static void add_cubic(const mfm_resize_attr *attr, float x, int64_t length, int32_t *source,
                      real *weight)
{
    const double first = floorf(x) - 1;
    double w[4], sum = 0;
    for (int k = 0; k < 4; k++) {
        const double i = first + k;
        const bool outside = i < 0 || i > (double)(length - 1);
        w[k] = attr->exclude_outside && outside ? 0 : cubic(attr->cubic_coeff_a, (double)x - i);
        source[k] = clamp(i, length);
        sum += w[k];
    }
    for (int k = 0; k < 4; k++)
        weight[k] = (real)(attr->exclude_outside && sum != 0 ? w[k] / sum : w[k]);
}

/* Weight k of a stretched kernel around x. */
static double stretched(const mfm_resize_attr *attr, float x, float scale, double i, int64_t length)
{
    const double d = (double)scale * fabs((double)x - i);
    if (attr->exclude_outside && (i < 0 || i > (double)(length - 1)))
        return 0;
    if (attr->mode == MFM_RESIZE_CUBIC)
        return cubic(attr->cubic_coeff_a, d);
    return d < 1 ? 1 - d : 0;
}

/* As many neighbours to the left of x, x included, as to its right. */
static void add_stretched(const mfm_resize_attr *attr, float x, float scale,
                          const mfm_resize_axis *table, int32_t *source, real *weight)
{
    const double first = (double)ceilf(x) - table->taps / 2;
    double sum = 0;
    for (int k = 0; k < table->taps; k++)
        sum += stretched(attr, x, scale, first + k, table->from);
    for (int k = 0; k < table->taps; k++) {
        const double w = stretched(attr, x, scale, first + k, table->from);
        source[k] = clamp(first + k, table->from);
        weight[k] = (real)(sum != 0 ? w / sum : w);
    }
}

void mfm_resize_weights(const mfm_resize_attr *attr, float scale, float begin, float end,
                        mfm_resize_axis *table)
{
    for (int64_t m = 0; m < table->to; m++) {
        int32_t *source = table->source + m * table->taps;
        real *weight = table->weight + m * table->taps;
        const float x = place_in_input(attr->place, (float)m, scale, (float)table->from,
                                       (float)table->to, begin, end);
        table->outside[m] =
            attr->place == MFM_RESIZE_CROP && (x < 0 || x > (float)(table->from - 1));
        if (is_stretched(attr, scale)) {
            add_stretched(attr, x, scale, table, source, weight);
        } else if (attr->mode == MFM_RESIZE_LINEAR) {
            add_linear(x, table->from, source, weight);
        } else if (attr->mode == MFM_RESIZE_CUBIC) {
            add_cubic(attr, x, table->from, source, weight);
        } else {
            source[0] = clamp((double)nearest(attr->nearest, x, scale), table->from);
            weight[0] = 1;
        }
        for (int k = 0; k < table->taps && table->outside[m]; k++)
            weight[k] = 0;
    }
}
