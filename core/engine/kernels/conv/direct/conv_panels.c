/*
 * Direct convolution, forward only, from many channels: where neither Winograd's transforms nor
 * few channels help, as with strides. With kernel rows i, strides sy and sx, the L = kw c taps of a
 * kernel row side by side in a row of the padded image, and o in panels of a few vectors,
 *     y[oy, p, panel] = sum_i sum_t x[oy sy + i, p sx c + t] w[panel, i, t, :]
 * by the tiles of conv_tiles.h. The weights of a panel are dense and stay in a core's cache for all
 * rows of an image. Rows are dealt out in slices, one a thread, fixed at make.
 *
 * Scratch: for each slice a padded image.
 */
#include <omp.h>
#include <string.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/direct/conv_tiles.h"
#include "core/engine/kernels/vec.h"

enum {
    LANES = MFM_VEC_LANES,
    PANEL = 2 * LANES, /* results: two vectors, the most that leaves registers for six points */
    LEAST_CHANNELS = 16,
    LEAST_PIXELS = 512, /* of all images: for fewer the weights stream by too fast */
};

typedef struct panels {
    mfm_conv_shape shape;
    int64_t taps;          /* kw c */
    int64_t height, width; /* of the padded image */
    bool pads;
    int slices;
    size_t image;  /* reals of a slice's padded image */
    ptrdiff_t *at; /* [ow] where the pixels of a row of y go */
} panels;

static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    const bool plain = s->groups == 1 && s->dilation[0] == 1 && s->dilation[1] == 1;
    return (int)MFM_VEC_BYTES <= (int)MFM_CONV_NARROW_BYTES && direction == MFM_CONV_FORWARD &&
           plain && s->kh * s->kw > 1 && s->c >= LEAST_CHANNELS && s->o % PANEL == 0 &&
           mfm_conv_samples(s) * s->oh * s->ow >= LEAST_PIXELS;
}

static void release(mfm_ctx *ctx, void *state)
{
    panels *p = state;
    if (p)
        mfm_free(ctx, p->at);
    mfm_free(ctx, p);
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    (void)directions;
    panels *p = mfm_alloc(ctx, 1, sizeof *p);
    if (!p)
        return MFM_ENOMEM;
    const int64_t threads = omp_get_max_threads(), rows = s->n * s->oh;
    *p = (panels){.shape = *s,
                  .taps = s->kw * s->c,
                  .height = s->pad_begin[0] + s->h + s->pad_end[0],
                  .width = s->pad_begin[1] + s->w + s->pad_end[1],
                  .slices = (int)(threads < rows ? threads : rows)};
    p->pads = p->height > s->h || p->width > s->w;
    p->image = mfm_conv_aligned(p->pads ? (size_t)(p->height * p->width * s->c) : 0);
    p->at = mfm_alloc(ctx, (size_t)s->ow, sizeof *p->at);
    if (!p->at) {
        release(ctx, p);
        return MFM_ENOMEM;
    }
    for (int64_t i = 0; i < s->ow; i++)
        p->at[i] = i * s->o;
    *state = p;
    return MFM_OK;
}

static size_t scratch_size(const void *state)
{
    const panels *p = state;
    return (size_t)p->slices * p->image;
}

static size_t packed_size(const void *state)
{
    const panels *p = state;
    return (size_t)(p->shape.kh * p->taps * p->shape.o);
}

/* w [o, kh L] to packed [o / PANEL, kh L, PANEL] */
static void pack(const void *state, const real *w, real *packed)
{
    const panels *p = state;
    const int64_t taps = p->shape.kh * p->taps;
#pragma omp parallel for schedule(static) num_threads(p->slices)
    for (int64_t panel = 0; panel < p->shape.o; panel += PANEL)
        for (int64_t t = 0; t < taps; t++)
            for (int64_t k = panel; k < panel + PANEL; k++)
                packed[panel * taps + t * PANEL + k - panel] = w[k * taps + t];
}

/* The rows of image n that results [first, last) read, in a padded image whose borders are zero. */
static const real *padded_rows(const panels *p, const real *x, int64_t n, int64_t first,
                               int64_t last, real *copy)
{
    const mfm_conv_shape *s = &p->shape;
    const real *image = x + n * s->h * s->w * s->c;
    if (!p->pads)
        return image;
    const int64_t top = first * s->stride[0] - s->pad_begin[0];
    const int64_t bottom = (last - 1) * s->stride[0] + s->kh - s->pad_begin[0];
    real *inner = copy + (s->pad_begin[0] * p->width + s->pad_begin[1]) * s->c;
    for (int64_t i = top < 0 ? 0 : top; i < bottom && i < s->h; i++)
        memcpy(inner + i * p->width * s->c, image + i * s->w * s->c,
               (size_t)(s->w * s->c) * sizeof *copy);
    return copy;
}

/* Result rows [first, last) of an image whose rows y points to. */
static void convolve_rows(const panels *p, const real *image, int64_t first, int64_t last,
                          const real *packed, real *y, bool add)
{
    const mfm_conv_shape *s = &p->shape;
    const mfm_tiles tiles = {.a_point = s->stride[1] * s->c,
                             .a_tap = 1,
                             .a_row = p->width * s->c,
                             .b_tap = PANEL,
                             .b_row = p->taps * PANEL,
                             .points = s->ow,
                             .vectors = PANEL / LANES,
                             .taps = p->taps,
                             .rows = s->kh,
                             .set_rows = s->kh,
                             .out_at = p->at,
                             .add = add};
    for (int64_t panel = 0; panel < s->o; panel += PANEL)
        for (int64_t r = first; r < last; r++)
            mfm_tiles_wide(&tiles, image + r * s->stride[0] * p->width * s->c,
                           packed + panel * s->kh * p->taps, y + r * s->ow * s->o + panel);
}

static void convolve_slice(const panels *p, int number, const real *x, const real *packed, real *y,
                           bool add, real *copy)
{
    const mfm_conv_shape *s = &p->shape;
    const int64_t rows = s->n * s->oh;
    const int64_t begin = rows * number / p->slices, end = rows * (number + 1) / p->slices;
    memset(copy, 0, p->image * sizeof *copy);
    for (int64_t r = begin; r < end;) {
        const int64_t n = r / s->oh, first = r % s->oh;
        const int64_t last = first + end - r < s->oh ? first + end - r : s->oh;
        const real *image = padded_rows(p, x, n, first, last, copy);
        convolve_rows(p, image, first, last, packed, y + n * s->oh * s->ow * s->o, add);
        r += last - first;
    }
}

static void forward(const void *state, const real *x, const real *packed, real *y, bool add,
                    real *scratch)
{
    const panels *p = state;
#pragma omp parallel for schedule(static, 1) num_threads(p->slices)
    for (int i = 0; i < p->slices; i++)
        convolve_slice(p, i, x, packed, y, add, scratch + (size_t)i * p->image);
}

const mfm_conv_impl mfm_conv_panels = {
    .name = "panels",
    .fits = fits,
    .make = make,
    .release = release,
    .scratch = scratch_size,
    .packed = packed_size,
    .pack = pack,
    .forward = forward,
};
