/*
 * The gradient of the weights of a depthwise convolution, which has as many groups as channels,
 * each to one result. With kernel rows i and columns j, strides s, dilations e and pads p, for
 * every channel by itself, gw[i, j] = sum_oy sum_ox x[oy s - p + i e, ox s - p + j e] gy[oy, ox].
 * Channels are the lanes of vectors. Of a row of gy and a row of the kernel, the sums of a few
 * columns are taken in registers; rows are added up in memory, so that no sum is longer than a row.
 * Libraries are good at the other directions, and at 3 x 3: those are left to them.
 *
 * Scratch: a sum that is to be added to another.
 */
#include <string.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/vec.h"

enum {
    LANES = MFM_VEC_LANES,
    KERNEL = 16, /* largest height and width */
    HELD = 4     /* columns that are summed together */
};

static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    const bool depthwise = s->groups == s->c && s->o == s->c;
    const bool large = s->kh > 3 || s->kw > 3;
    return direction == MFM_CONV_WEIGHTS && depthwise && large && !s->row_major && s->c >= LANES &&
           s->kh <= KERNEL && s->kw <= KERNEL;
}

static size_t weights_count(const void *state)
{
    return (size_t)mfm_conv_weight_count(state);
}

/* Columns of a row of gy for which kernel column j meets a pixel. */
typedef struct span {
    int64_t first, end;
} span;

static span span_of(const mfm_conv_shape *s, int64_t j)
{
    const int64_t reach = j * s->dilation[1] - s->pad_begin[1], step = s->stride[1];
    const int64_t room = s->w - reach;
    span r = {reach < 0 ? (step - 1 - reach) / step : 0, room > 0 ? (room + step - 1) / step : 0};
    r.end = r.end < s->ow ? r.end : s->ow;
    r.first = r.first < r.end ? r.first : r.end;
    return r;
}

/* One row of gy against one row of an image. */
typedef struct rows {
    const real *gy, *x;
    int64_t channels, step; /* step: reals from a result's pixel to that of the next */
    ptrdiff_t at[KERNEL];   /* of kernel column j's pixel for result 0 */
    const span *spans;
    real *sum; /* [kw, c] */
} rows;

/* What results [first, end) of a row contribute to one kernel column. */
static inline mfm_vec add_span(mfm_vec sum, const rows *r, int64_t j, int64_t c, int64_t first,
                               int64_t end)
{
    for (int64_t ox = first; ox < end; ox++)
        sum += mfm_vec_load(r->gy + ox * r->channels + c) *
               mfm_vec_load(r->x + r->at[j] + ox * r->step + c);
    return sum;
}

/* Columns [j, j + held) of one vector: where all of them meet pixels together, then the ends of
 * each. The first `done` lanes are left alone. */
static inline __attribute__((always_inline)) void add_columns(int held, const rows *r, int64_t j,
                                                              int64_t c, int done)
{
    mfm_vec sum[HELD];
    int64_t first = 0, end = INT64_MAX;
    for (int k = 0; k < held; k++) {
        const span s = r->spans[j + k];
        sum[k] = mfm_vec_zero();
        first = s.first > first ? s.first : first;
        end = s.end < end ? s.end : end;
    }
    end = end > first ? end : first;
    for (int64_t ox = first; ox < end; ox++) {
        const mfm_vec g = mfm_vec_load(r->gy + ox * r->channels + c);
        for (int k = 0; k < held; k++)
            sum[k] += g * mfm_vec_load(r->x + r->at[j + k] + ox * r->step + c);
    }
    for (int k = 0; k < held; k++) {
        const span s = r->spans[j + k];
        const int64_t before = s.end < first ? s.end : first, after = s.first > end ? s.first : end;
        sum[k] = add_span(sum[k], r, j + k, c, s.first, before);
        sum[k] = add_span(sum[k], r, j + k, c, after, s.end);
        for (int lane = 0; lane < done; lane++)
            sum[k][lane] = 0;
        real *to = r->sum + (j + k) * r->channels + c;
        mfm_vec_store(to, mfm_vec_load(to) + sum[k]);
    }
}

static void add_vector(const rows *r, int64_t kw, int64_t c, int done)
{
    int64_t j = 0;
    for (; j + HELD <= kw; j += HELD)
        add_columns(HELD, r, j, c, done);
    for (; j + 2 <= kw; j += 2)
        add_columns(2, r, j, c, done);
    if (j < kw)
        add_columns(1, r, j, c, done);
}

/* Row oy of one sample, against the image rows that it meets. The last vector of channels may
 * overlap the one before. */
static void add_row(const mfm_conv_shape *s, const span *spans, const real *gy, const real *x,
                    int64_t oy, real *sum)
{
    const int64_t c = s->c;
    rows r = {.gy = gy + oy * s->ow * c, .channels = c, .step = s->stride[1] * c, .spans = spans};
    for (int64_t j = 0; j < s->kw; j++)
        r.at[j] = (j * s->dilation[1] - s->pad_begin[1]) * c;
    for (int64_t i = 0; i < s->kh; i++) {
        const int64_t iy = oy * s->stride[0] - s->pad_begin[0] + i * s->dilation[0];
        if (iy < 0 || iy >= s->h)
            continue;
        r.x = x + iy * s->w * c;
        r.sum = sum + i * s->kw * c;
        int64_t k = 0;
        for (; k + LANES <= c; k += LANES)
            add_vector(&r, s->kw, k, 0);
        if (k < c)
            add_vector(&r, s->kw, c - LANES, (int)(k - c + LANES));
    }
}

/* As [kh, kw, c]. */
static void backward_weights(const void *state, const real *gy, const real *x, real *sum, bool add,
                             real *scratch)
{
    const mfm_conv_shape *s = state;
    const size_t count = weights_count(s);
    real *to = add ? scratch : sum;
    span spans[KERNEL];
    for (int64_t j = 0; j < s->kw; j++)
        spans[j] = span_of(s, j);
    memset(to, 0, count * sizeof *to);
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t oy = 0; oy < s->oh; oy++)
            add_row(s, spans, gy + n * s->oh * s->ow * s->c, x + n * s->h * s->w * s->c, oy, to);
    for (size_t i = 0; i < count && add; i++)
        sum[i] += to[i];
}

/* To gw [c, kh, kw]. */
static void weights_finish(const void *state, real *sum, real *gw, bool add, real *scratch)
{
    const mfm_conv_shape *s = state;
    const int64_t taps = s->kh * s->kw;
    (void)scratch;
    for (int64_t k = 0; k < s->c; k++)
        for (int64_t t = 0; t < taps; t++)
            gw[k * taps + t] = (add ? gw[k * taps + t] : 0) + sum[t * s->c + k];
}

const mfm_conv_impl mfm_conv_depthwise = {
    .name = "depthwise",
    .fits = fits,
    .make = mfm_conv_shape_make,
    .release = mfm_conv_shape_release,
    .scratch = weights_count,
    .packed = weights_count,
    .backward_weights = backward_weights,
    .weights_sum = weights_count,
    .weights_finish = weights_finish,
};
