/*
 * Depthwise convolution in inference, which has as many groups as channels, each to one result,
 * finished as it goes:
 *     y[oy, ox, :] = f(bias + sum_i sum_j w[i, j, :] x[oy s - p + i e, ox s - p + j e, :])
 * with kernel rows i and columns j, strides s, dilations e and pads p; ":" are channels, the lanes
 * of vectors. The sums of a few neighbours in a row are held in registers, and the function goes
 * over all their channels while these are in a core's first cache.
 *
 * Packed: w as [kh, kw, c].
 */
#include "core/engine/kernels/conv/conv_finish.h"
#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/vec.h"

enum {
    LANES = MFM_VEC_LANES,
    HELD = 8,               /* sums */
    PARALLEL_FROM = 1 << 15 /* multiplications */
};

/* Where this was measured to be faster than a library that dispatches, in wide vectors: with a dear
 * function, and rows of which most lies within the image's borders. */
static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    const bool depthwise = s->groups == s->c && s->o == s->c && !s->row_major && s->c >= LANES;
    return direction == MFM_CONV_FORWARD && s->finish == MFM_CONV_BIAS_SWISH && depthwise &&
           s->ow >= 2 * s->kw - 1 && (int)MFM_VEC_BYTES > (int)MFM_CONV_NARROW_BYTES;
}

static size_t nothing(const void *state)
{
    (void)state;
    return 0;
}

static size_t weights_count(const void *state)
{
    return (size_t)mfm_conv_weight_count(state);
}

static void pack(const void *state, const real *w, real *packed)
{
    const mfm_conv_shape *s = state;
    const int64_t taps = s->kh * s->kw;
    for (int64_t k = 0; k < s->c; k++)
        for (int64_t t = 0; t < taps; t++)
            packed[t * s->c + k] = w[k * taps + t];
}

/* Taps [first, end) along an axis that meet the image, of the window that begins at `start`. */
typedef struct taps {
    int64_t first, end;
} taps;

static taps taps_inside(int64_t start, int64_t dilation, int64_t kernel, int64_t length)
{
    taps t = {0, kernel};
    while (t.first < kernel && start + t.first * dilation < 0)
        t.first++;
    while (t.end > t.first && start + (t.end - 1) * dilation >= length)
        t.end--;
    return t;
}

/* Neighbours in a row of results: x is where tap (0, 0) of the first lies or would lie. */
typedef struct neighbours {
    const mfm_conv_shape *shape;
    const real *x, *w, *bias;
    taps rows, columns;
    real *y;
} neighbours;

/* `count` of them, `vecs` vectors of channels from c on: together at most HELD sums. */
static inline __attribute__((always_inline)) void sum_vectors(int count, int vecs,
                                                              const neighbours *n, int64_t c)
{
    const mfm_conv_shape *s = n->shape;
    const int64_t point = s->stride[1] * s->c, step = s->dilation[1] * s->c;
    mfm_vec sum[HELD];
#pragma GCC unroll 8
    for (int k = 0; k < count * vecs; k++)
        sum[k] = mfm_vec_load(n->bias + c + k % vecs * LANES);
    for (int64_t i = n->rows.first; i < n->rows.end; i++) {
        const real *x = n->x + i * s->dilation[0] * s->w * s->c + c;
        const real *w = n->w + i * s->kw * s->c + c;
        for (int64_t j = n->columns.first; j < n->columns.end; j++)
#pragma GCC unroll 8
            for (int k = 0; k < count * vecs; k++) {
                const int64_t lane = k % vecs * LANES;
                sum[k] += mfm_vec_load(w + j * s->c + lane) *
                          mfm_vec_load(x + j * step + k / vecs * point + lane);
            }
    }
#pragma GCC unroll 8
    for (int k = 0; k < count * vecs; k++)
        mfm_vec_store(n->y + k / vecs * s->c + c + k % vecs * LANES, sum[k]);
}

/* All channels, so many vectors at a time as there is room for; the last vector may overlap the one
 * before. */
static inline __attribute__((always_inline)) void sum_channels(int count, int vecs,
                                                               const neighbours *n)
{
    const int64_t channels = n->shape->c;
    int64_t c = 0;
    for (; c + vecs * LANES <= channels; c += vecs * LANES)
        sum_vectors(count, vecs, n, c);
    for (; c + LANES <= channels; c += LANES)
        sum_vectors(count, 1, n, c);
    if (c < channels)
        sum_vectors(count, 1, n, channels - LANES);
    mfm_conv_finish_each(&n->shape->finish, (size_t)(count * channels), n->y, n->y);
}

/* From result `at` of a row on, as many as are summed together: those whose windows lie within the
 * image's columns, or one. */
static int64_t sum_some(neighbours n, int64_t at, int64_t inside_end)
{
    const mfm_conv_shape *s = n.shape;
    const int64_t start = at * s->stride[1] - s->pad_begin[1];
    n.columns = taps_inside(start, s->dilation[1], s->kw, s->w);
    n.x += start * s->c;
    n.y += at * s->c;
    const int64_t left = start >= 0 ? inside_end - at : 1;
    if (left >= HELD) {
        sum_channels(HELD, 1, &n);
        return HELD;
    }
    if (left >= HELD / 2) {
        sum_channels(HELD / 2, 2, &n);
        return HELD / 2;
    }
    sum_channels(1, HELD, &n);
    return 1;
}

/* Results of a row before this one have windows that end within the image's columns. */
static int64_t inside_end(const mfm_conv_shape *s)
{
    const int64_t room = s->w + s->pad_begin[1] - ((s->kw - 1) * s->dilation[1] + 1);
    const int64_t end = room < 0 ? 0 : room / s->stride[1] + 1;
    return end < s->ow ? end : s->ow;
}

static void forward_finished(const void *state, const real *x, const real *packed, const real *bias,
                             real *y, real *scratch)
{
    const mfm_conv_shape *s = state;
    const int64_t end = inside_end(s);
    (void)scratch;
#pragma omp parallel for schedule(static) if (mfm_conv_result_count(s) * s->kh * s->kw >=          \
                                              PARALLEL_FROM)
    for (int64_t r = 0; r < s->n * s->oh; r++) {
        const int64_t image = r / s->oh, start = r % s->oh * s->stride[0] - s->pad_begin[0];
        const neighbours row = {.shape = s,
                                .x = x + (image * s->h + start) * s->w * s->c,
                                .w = packed,
                                .bias = bias,
                                .rows = taps_inside(start, s->dilation[0], s->kh, s->h),
                                .y = y + r * s->ow * s->c};
        for (int64_t at = 0; at < s->ow;)
            at += sum_some(row, at, end);
    }
}

const mfm_conv_impl mfm_conv_single = {
    .name = "depthwise, finished",
    .fits = fits,
    .make = mfm_conv_shape_make,
    .release = mfm_conv_shape_release,
    .scratch = nothing,
    .packed = weights_count,
    .pack = pack,
    .forward_finished = forward_finished,
};
