#include "core/data/images/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/context.h"

enum { PRECISION = 32 - 8 - 2 };

/* How an axis is filtered: output i is the sum over k < count[i] of weight[i * most + k] times
 * input first[i] + k. */
struct axis {
    int32_t *first, *count, *weight;
    int outputs, most;
};

/* Inputs that an output takes at most. */
static int most_inputs(int inputs, int full)
{
    const double scale = (double)inputs / full;
    return 2 * (int)ceil(scale > 1 ? scale : 1) + 1;
}

static size_t axis_words(int inputs, int full, int outputs)
{
    return (size_t)outputs * (2 + (size_t)most_inputs(inputs, full));
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static void set_output(struct axis *axis, int i, double centre, double width, int inputs)
{
    int32_t *weight = axis->weight + (size_t)i * (size_t)axis->most;
    int first = (int)(centre - width + 0.5), end = (int)(centre + width + 0.5);
    first = first < 0 ? 0 : first;
    end = end > inputs ? inputs : end;
    double sum = 0;
    for (int k = first; k < end; k++)
        sum += triangle((k - centre + 0.5) / width);
    for (int k = first; k < end; k++)
        weight[k - first] =
            (int32_t)(0.5 + triangle((k - centre + 0.5) / width) / sum * (1 << PRECISION));
    axis->first[i] = first;
    axis->count[i] = end - first;
}

/* Outputs from..from + outputs - 1 of an axis of `inputs` that is resized to `full`; returns what
 * follows its room. */
static int32_t *set_axis(struct axis *axis, int32_t *room, int inputs, int full, int from,
                         int outputs)
{
    const double scale = (double)inputs / full;
    axis->outputs = outputs;
    axis->most = most_inputs(inputs, full);
    axis->first = room;
    axis->count = room + outputs;
    axis->weight = room + 2 * (size_t)outputs;
    for (int i = 0; i < outputs; i++)
        set_output(axis, i, (from + i + 0.5) * scale, scale > 1 ? scale : 1, inputs);
    return room + axis_words(inputs, full, outputs);
}

static uint8_t to_byte(int32_t sum)
{
    const int32_t value = sum >> PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Rows of the input to rows [outputs, channels]. */
static void filter_row(const struct axis *x, int channels, const uint8_t *in, uint8_t *out)
{
    for (int i = 0; i < x->outputs; i++) {
        const int32_t *weight = x->weight + (size_t)i * (size_t)x->most;
        const uint8_t *at = in + (size_t)x->first[i] * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            int32_t sum = 1 << (PRECISION - 1);
            for (int k = 0; k < x->count[i]; k++)
                sum += weight[k] * at[k * channels + c];
            *out++ = to_byte(sum);
        }
    }
}

/* rows: of the filtered input rows, size bytes each; sums [size]. */
static void filter_column(const struct axis *y, int i, const uint8_t *rows, size_t size,
                          int32_t *sums, uint8_t *out)
{
    const int32_t *weight = y->weight + (size_t)i * (size_t)y->most;
    for (size_t b = 0; b < size; b++)
        sums[b] = 1 << (PRECISION - 1);
    for (int k = 0; k < y->count[i]; k++) {
        const uint8_t *row = rows + (size_t)k * size;
        for (size_t b = 0; b < size; b++)
            sums[b] += weight[k] * row[b];
    }
    for (size_t b = 0; b < size; b++)
        out[b] = to_byte(sums[b]);
}

static int make_room(mfm_resizer *resizer, size_t size)
{
    if (resizer->size >= size)
        return MFM_OK;
    free(resizer->room);
    resizer->room = malloc(size);
    resizer->size = resizer->room ? size : 0;
    return resizer->room ? MFM_OK : MFM_ENOMEM;
}

int mfm_resize(mfm_resizer *resizer, const mfm_region *from, const mfm_window *w, uint8_t *out)
{
    const size_t row = (size_t)w->width * (size_t)from->channels;
    const size_t words = axis_words(from->width, w->full_width, w->width) +
                         axis_words(from->height, w->full_height, w->height) + row;
    const int status = make_room(resizer, words * sizeof(int32_t) + row * (size_t)from->height);
    if (status != MFM_OK)
        return status;
    struct axis x, y;
    int32_t *room = resizer->room;
    room = set_axis(&x, room, from->width, w->full_width, w->left, w->width);
    room = set_axis(&y, room, from->height, w->full_height, w->top, w->height);
    int32_t *sums = room;
    uint8_t *rows = (uint8_t *)(sums + row);
    const int first = y.first[0], end = y.first[w->height - 1] + y.count[w->height - 1];
    for (int r = first; r < end; r++)
        filter_row(&x, from->channels, from->pixels + r * from->stride,
                   rows + (size_t)(r - first) * row);
    for (int i = 0; i < w->height; i++)
        filter_column(&y, i, rows + (size_t)(y.first[i] - first) * row, row, sums,
                      out + (size_t)i * row);
    return MFM_OK;
}

void mfm_resizer_clear(mfm_resizer *resizer)
{
    free(resizer->room);
    *resizer = (mfm_resizer){0};
}
