/*
 * Convolution by 1 x 1 is a matrix product over all pixels P of all results; with strides, of those
 * pixels of the images that results lie over:
 *     forward   y [P, o] = x [P, c] w [o, c]^T
 *     data      gx [P, c] = gy [P, o] w [o, c]
 *     weights   gw [o, c] = gy [P, o]^T x [P, c]
 * The last of these holds for larger kernels, too, with the taps of a window side by side for x.
 *
 * Scratch, with strides or a larger kernel: the pixels of the images that results lie over.
 */
#include <string.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/gemm/gemm.h"
#include "core/engine/kernels/vec.h"

enum {
    MANY_CHANNELS = 256,
    FEW_CHANNELS = 64,
    FEW_PIXELS = 512,     /* of all results */
    MOST_SUMMED = 2048,   /* pixels that the weights' gradient sums over */
    MOST_OF_BROAD = 8192, /* the same between so many channels: */
    BROAD = 128,
    LEAST_SIDE = 64,        /* channels, of a larger kernel */
    MOST_TAPS = 1 << 22,    /* of all windows: 16 MiB */
    PARALLEL_FROM = 1 << 14 /* reals to copy */
};

static int64_t pixels(const mfm_conv_shape *s)
{
    return s->n * s->oh * s->ow;
}

/* Of all ranks' results. */
static int64_t all_pixels(const mfm_conv_shape *s)
{
    return mfm_conv_samples(s) * s->oh * s->ow;
}

static bool strides(const mfm_conv_shape *s)
{
    return s->stride[0] > 1 || s->stride[1] > 1;
}

/* The weights of a batch of one sample. The library's sum over it would be made in one thread
 * (conv_chunks.h), for the order of its sums goes by threads; products are dealt out. */
static bool is_alone(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    return direction == MFM_CONV_WEIGHTS && mfm_conv_samples(s) == 1;
}

/* Shapes at which this was measured to be faster than a library that dispatches. In narrow vectors
 * the library is ahead in the other directions. */
static bool is_ahead(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    if (is_alone(s, direction))
        return true;
    const int64_t all = all_pixels(s);
    const int64_t least = s->c < s->o ? s->c : s->o;
    if ((int)MFM_VEC_BYTES <= (int)MFM_CONV_NARROW_BYTES)
        return direction == MFM_CONV_WEIGHTS && !strides(s) && least >= MANY_CHANNELS;
    if (direction == MFM_CONV_WEIGHTS)
        return all <= (least < BROAD ? MOST_SUMMED : MOST_OF_BROAD);
    return all <= FEW_PIXELS || least < FEW_CHANNELS;
}

/* Numbers of a window. */
static int64_t window(const mfm_conv_shape *s)
{
    return s->kh * s->kw * s->c;
}

static bool is_point(const mfm_conv_shape *s)
{
    return s->kh == 1 && s->kw == 1;
}

/* Windows that lie side by side, or overlap by little, and few of them: the library has no good
 * way for their weights in wide vectors. */
static bool few_windows(const mfm_conv_shape *s)
{
    return strides(s) && (int)MFM_VEC_BYTES > (int)MFM_CONV_NARROW_BYTES && s->c >= LEAST_SIDE &&
           s->o >= LEAST_SIDE && all_pixels(s) <= MOST_SUMMED;
}

static bool takes_windows(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    return direction == MFM_CONV_WEIGHTS && !is_point(s) && s->groups == 1 &&
           all_pixels(s) <= MOST_TAPS / window(s) && (is_alone(s, direction) || few_windows(s));
}

static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    if (takes_windows(s, direction))
        return true;
    const bool point = is_point(s) && s->groups == 1;
    const bool bare =
        s->pad_begin[0] == 0 && s->pad_begin[1] == 0 && s->pad_end[0] == 0 && s->pad_end[1] == 0;
    return point && bare && pixels(s) <= MFM_GEMM_MAX && is_ahead(s, direction);
}

static bool is_apart(const mfm_conv_shape *s)
{
    return strides(s) || !is_point(s);
}

static size_t scratch_size(const void *state)
{
    const mfm_conv_shape *s = state;
    return is_apart(s) ? (size_t)(pixels(s) * window(s)) : 0;
}

static size_t nothing(const void *state)
{
    (void)state;
    return 0;
}

/* The pixel of the images that row r of the results, [n oh], begins over. */
static int64_t first_pixel(const mfm_conv_shape *s, int64_t r)
{
    return (r / s->oh * s->h + r % s->oh * s->stride[0]) * s->w;
}

/* to [kh kw, c] = the window of a result, zeros where it reaches beyond the image. */
static void copy_window(const mfm_conv_shape *s, const real *image, int64_t row, int64_t column,
                        real *to)
{
    const size_t size = (size_t)s->c * sizeof *to;
    for (int64_t i = 0; i < s->kh; i++)
        for (int64_t j = 0; j < s->kw; j++, to += s->c) {
            const int64_t y = row * s->stride[0] - s->pad_begin[0] + i * s->dilation[0];
            const int64_t x = column * s->stride[1] - s->pad_begin[1] + j * s->dilation[1];
            if (0 <= y && y < s->h && 0 <= x && x < s->w)
                memcpy(to, image + (y * s->w + x) * s->c, size);
            else
                memset(to, 0, size);
        }
}

/* The windows of results, [P, kh kw c]. */
static const real *gather(const mfm_conv_shape *s, const real *x, real *scratch)
{
    if (!is_apart(s))
        return x;
#pragma omp parallel for if (pixels(s) * window(s) >= PARALLEL_FROM)
    for (int64_t r = 0; r < s->n * s->oh; r++)
        for (int64_t i = 0; i < s->ow; i++)
            copy_window(s, x + r / s->oh * s->h * s->w * s->c, r % s->oh, i,
                        scratch + (r * s->ow + i) * window(s));
    return scratch;
}

static void add_pixel(int64_t c, const real *restrict from, real *restrict to)
{
    for (int64_t i = 0; i < c; i++)
        to[i] += from[i];
}

/* The other way: pixels that no result lies over are zero. */
static void scatter(const mfm_conv_shape *s, const real *from, real *gx, bool add)
{
    if (!add)
        memset(gx, 0, (size_t)mfm_conv_image_count(s) * sizeof *gx);
#pragma omp parallel for if (pixels(s) * s->c >= PARALLEL_FROM)
    for (int64_t r = 0; r < s->n * s->oh; r++)
        for (int64_t i = 0; i < s->ow; i++) {
            const real *pixel = from + (r * s->ow + i) * s->c;
            real *to = gx + (first_pixel(s, r) + i * s->stride[1]) * s->c;
            if (add)
                add_pixel(s->c, pixel, to);
            else
                memcpy(to, pixel, (size_t)s->c * sizeof *to);
        }
}

static void forward(const void *state, const real *x, const real *packed, real *y, bool add,
                    real *scratch)
{
    const mfm_conv_shape *s = state;
    mfm_gemm_run(&(mfm_gemm){.transpose_b = true,
                             .m = pixels(s),
                             .n = s->o,
                             .k = s->c,
                             .alpha = 1,
                             .a = gather(s, x, scratch),
                             .lda = s->c,
                             .b = packed,
                             .ldb = s->c,
                             .add = add,
                             .c = y,
                             .ldc = s->o});
}

static void backward_data(const void *state, const real *gy, const real *w, real *gx, bool add,
                          real *scratch)
{
    const mfm_conv_shape *s = state;
    const bool apart = strides(s);
    mfm_gemm_run(&(mfm_gemm){.m = pixels(s),
                             .n = s->c,
                             .k = s->o,
                             .alpha = 1,
                             .a = gy,
                             .lda = s->o,
                             .b = w,
                             .ldb = s->c,
                             .add = add && !apart,
                             .c = apart ? scratch : gx,
                             .ldc = s->c});
    if (apart)
        scatter(s, scratch, gx, add);
}

static void weights_at_once(const void *state, const real *gy, const real *x, real *gw, bool add,
                            real *scratch)
{
    const mfm_conv_shape *s = state;
    const mfm_share share = s->share.samples ? s->share : mfm_share_whole(s->n);
    mfm_gemm_run(&(mfm_gemm){.transpose_a = true,
                             .m = s->o,
                             .n = window(s),
                             .k = pixels(s),
                             .alpha = 1,
                             .a = gy,
                             .lda = s->o,
                             .b = gather(s, x, scratch),
                             .ldb = window(s),
                             .add = add,
                             .c = gw,
                             .ldc = window(s),
                             .share = &share});
}

const mfm_conv_impl mfm_conv_pointwise = {
    .name = "matrix product",
    .fits = fits,
    .make = mfm_conv_shape_make,
    .release = mfm_conv_shape_release,
    .scratch = scratch_size,
    .packed = nothing,
    .forward = forward,
    .backward_data = backward_data,
    .weights_at_once = weights_at_once,
};
