/*
 * Convolution over lines [n, c, w] and volumes [n, c, d, h, w], row-major: over the images of each
 * depth, brought into channels-last order, by the kernels for these. With X_d, Y_e and W_k the
 * slices of input, result and weights along the depth,
 *     Y_e = sum over k of X_d * W_k,   d = e stride - padding + k dilation,
 * and the adjoints likewise. A line is an image of one row, at one depth.
 */
#include <string.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/strided.h"

/* Slices of a tensor: [count] of [n, area, c], each on a boundary of 64 bytes. */
typedef struct slices {
    int64_t n, c, count, area;
    int64_t length; /* reals from one to the next */
} slices;

typedef struct state {
    mfm_conv_depth depth;
    mfm_conv *inner;
    slices x, y, w;
    int64_t packed; /* reals of one slice of weights as forward wants it */
} state;

static slices slices_of(int64_t n, int64_t c, int64_t count, int64_t area)
{
    return (slices){n, c, count, area, (int64_t)mfm_conv_aligned((size_t)(n * c * area))};
}

static size_t reals(const slices *s)
{
    return (size_t)(s->count * s->length);
}

/* The strides of the row-major tensor and of its slices, along the axes [n, c, count, area]. */
static mfm_shape views(const slices *s, int64_t tensor[MFM_MAX_RANK], int64_t sliced[MFM_MAX_RANK])
{
    const int64_t t[] = {s->c * s->count * s->area, s->count * s->area, s->area, 1};
    const int64_t l[] = {s->area * s->c, 1, s->length, s->c};
    memcpy(tensor, t, sizeof t);
    memcpy(sliced, l, sizeof l);
    return (mfm_shape){.rank = 4, .dim = {s->n, s->c, s->count, s->area}};
}

static void cut(const slices *s, const real *tensor, real *sliced)
{
    int64_t from[MFM_MAX_RANK], to[MFM_MAX_RANK];
    const mfm_shape shape = views(s, from, to);
    mfm_strided_copy(&shape, tensor, from, 1, sliced, to, false);
}

/* tensor = [tensor +] the slices. */
static void join(const slices *s, const real *sliced, real *tensor, bool add)
{
    int64_t to[MFM_MAX_RANK], from[MFM_MAX_RANK];
    const mfm_shape shape = views(s, to, from);
    mfm_strided_copy(&shape, sliced, from, 1, tensor, to, add);
}

static bool fits(const mfm_conv_shape *shape, enum mfm_conv_direction direction)
{
    (void)direction;
    return shape->row_major;
}

static void release(mfm_ctx *ctx, void *made)
{
    state *s = made;
    if (s)
        mfm_conv_free(ctx, s->inner);
    mfm_free(ctx, s);
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *shape, unsigned directions, void **made)
{
    mfm_conv_shape inner = *shape;
    state *s = *made = mfm_alloc(ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    inner.row_major = false;
    s->depth = shape->depth;
    s->x = slices_of(shape->n, shape->c, s->depth.in, shape->h * shape->w);
    s->y = slices_of(shape->n, shape->o, s->depth.out, shape->oh * shape->ow);
    s->w = slices_of(shape->o, shape->c / shape->groups, s->depth.kernel, shape->kh * shape->kw);
    const int status = mfm_conv_new(ctx, &inner, directions == 1u << MFM_CONV_FORWARD, &s->inner);
    if (status) {
        release(ctx, s);
        *made = NULL;
        return status;
    }
    const size_t packed = mfm_conv_packed(s->inner);
    s->packed = packed ? (int64_t)mfm_conv_aligned(packed) : s->w.length;
    return MFM_OK;
}

static size_t scratch(const void *made)
{
    const state *s = made;
    return reals(&s->x) + reals(&s->y) + reals(&s->w) + mfm_conv_scratch(s->inner);
}

/* Behind the packed slices lie the plain ones. */
static size_t packed(const void *made)
{
    const state *s = made;
    return (size_t)(s->depth.kernel * s->packed) + reals(&s->w);
}

static void pack(const void *made, const real *w, real *to)
{
    const state *s = made;
    const bool plain = mfm_conv_packed(s->inner) == 0;
    real *sliced = plain ? to : to + s->depth.kernel * s->packed;
    cut(&s->w, w, sliced);
    for (int64_t k = 0; k < s->depth.kernel && !plain; k++)
        mfm_conv_pack(s->inner, sliced + k * s->w.length, to + k * s->packed);
}

/* The depth of the input that tap k of result e reads; -1 in the padding. */
static int64_t depth_of(const state *s, int64_t e, int64_t k)
{
    const int64_t d = e * s->depth.stride - s->depth.pad_begin + k * s->depth.dilation;
    return d < s->depth.in ? (d < 0 ? -1 : d) : -1;
}

static void forward(const void *made, const real *x, const real *weights, real *y, bool add,
                    real *room)
{
    const state *s = made;
    real *in = room, *out = in + reals(&s->x), *rest = out + reals(&s->y);
    cut(&s->x, x, in);
    for (int64_t e = 0; e < s->depth.out; e++) {
        bool started = false;
        for (int64_t k = 0; k < s->depth.kernel; k++) {
            const int64_t d = depth_of(s, e, k);
            if (d < 0)
                continue;
            mfm_conv_forward_packed(s->inner, in + d * s->x.length, weights + k * s->packed,
                                    out + e * s->y.length, started, rest);
            started = true;
        }
        if (!started)
            memset(out + e * s->y.length, 0, (size_t)s->y.length * sizeof *out);
    }
    join(&s->y, out, y, add);
}

static void backward_data(const void *made, const real *gy, const real *w, real *gx, bool add,
                          real *room)
{
    const state *s = made;
    real *in = room, *out = in + reals(&s->x), *weights = out + reals(&s->y);
    real *rest = weights + reals(&s->w);
    cut(&s->y, gy, out);
    cut(&s->w, w, weights);
    memset(in, 0, reals(&s->x) * sizeof *in);
    for (int64_t e = 0; e < s->depth.out; e++)
        for (int64_t k = 0; k < s->depth.kernel; k++) {
            const int64_t d = depth_of(s, e, k);
            if (d >= 0)
                mfm_conv_backward_data(s->inner, out + e * s->y.length, weights + k * s->w.length,
                                       in + d * s->x.length, true, rest);
        }
    join(&s->x, in, gx, add);
}

static void backward_weights(const void *made, const real *gy, const real *x, real *gw, bool add,
                             real *room)
{
    const state *s = made;
    real *in = room, *out = in + reals(&s->x), *weights = out + reals(&s->y);
    real *rest = weights + reals(&s->w);
    cut(&s->x, x, in);
    cut(&s->y, gy, out);
    memset(weights, 0, reals(&s->w) * sizeof *weights);
    for (int64_t e = 0; e < s->depth.out; e++)
        for (int64_t k = 0; k < s->depth.kernel; k++) {
            const int64_t d = depth_of(s, e, k);
            if (d >= 0)
                mfm_conv_backward_weights(s->inner, out + e * s->y.length, in + d * s->x.length,
                                          weights + k * s->w.length, true, rest);
        }
    join(&s->w, weights, gw, add);
}

const mfm_conv_impl mfm_conv_slices = {.name = "slices",
                                       .dispatches = true,
                                       .fits = fits,
                                       .make = make,
                                       .release = release,
                                       .scratch = scratch,
                                       .packed = packed,
                                       .pack = pack,
                                       .forward = forward,
                                       .backward_data = backward_data,
                                       .backward_weights = backward_weights};
