/*
 * Direct convolution without groups or dilation, for few channels, where blocks of 16 channels and
 * columns of im2col are mostly padding. The L = kw c taps of a kernel row lie side by side in an
 * image row, so each direction is a sum of broadcasts times vectors (conv_tiles.h). With kernel
 * rows i, strides sy and sx, and rows counted in the padded image:
 *     forward   y[oy, p, :] = sum_i sum_t x[oy sy + i, p sx c + t] w[i, t, :]
 *     data      gx[iy, p sx c + :] += sum_i sum_k gy[(iy - i) / sy, p, k] w[k, i, :]
 *     weights   gw[i, t, :] = sum_oy sum_p x[oy sy + i, p sx c + t] gy[oy, p, :]
 * where ":" runs over vectors, of o results or (data) of L taps. Rows are dealt out in slices, one
 * a thread, fixed at make; sums over slices go in their order.
 *
 * Scratch: the packed weights (forward, data), then what each slice has of its own: a padded image
 * (forward, weights), a row, and a packed sum (weights).
 */
#include <omp.h>
#include <string.h>

#include "core/engine/kernels/conv_impl.h"
#include "core/engine/kernels/conv_shape.h"
#include "core/engine/kernels/conv_tiles.h"

/* Below so many multiplications threads cost more than they bring. */
enum { PARALLEL_FROM = 1 << 17, ALIGN = 64 / sizeof(real), BLOCK = 16 };

/* `length` numbers in vectors, padded to `padded`. */
typedef struct lanes {
    mfm_tiles_fn *tiles;
    int64_t length, padded, vectors;
} lanes;

typedef struct direct {
    mfm_conv_shape shape;
    lanes results, taps;   /* o; L */
    int64_t height, width; /* of the padded image */
    bool pads;
    int slices;
    size_t packed, image, row, sum; /* reals of the parts of scratch */
} direct;

static lanes lanes_of(int64_t length)
{
    const bool narrow = length <= MFM_NARROW_LANES;
    const int64_t lane = narrow ? MFM_NARROW_LANES : MFM_WIDE_LANES;
    const int64_t vectors = (length + lane - 1) / lane;
    return (lanes){narrow ? mfm_tiles_narrow : mfm_tiles_wide, length, vectors * lane, vectors};
}

static size_t aligned(int64_t count)
{
    return ((size_t)count + ALIGN - 1) / ALIGN * ALIGN;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Shapes at which this was measured to be at least as fast as the libraries. */
static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    (void)direction;
    const bool plain = s->groups == 1 && s->dilation[0] == 1 && s->dilation[1] == 1;
    const bool few_channels = s->c <= 8 && s->o <= 32;
    const bool few_pixels = s->c <= 16 && s->oh * s->ow <= 16;
    return plain && (few_channels || few_pixels);
}

static int slices_of(const mfm_conv_shape *s)
{
    const int64_t threads = omp_get_max_threads();
    const int64_t macs = mfm_conv_result_count(s) * s->kh * s->kw * s->c;
    const int64_t rows = s->n * (s->oh < s->h ? s->oh : s->h);
    return macs < PARALLEL_FROM ? 1 : (int)(threads < rows ? threads : rows);
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    direct *d = mfm_alloc(ctx, 1, sizeof *d);
    if (!d)
        return MFM_ENOMEM;
    *d = (direct){.shape = *s,
                  .results = lanes_of(s->o),
                  .taps = lanes_of(s->kw * s->c),
                  .height = s->pad_begin[0] + s->h + s->pad_end[0],
                  .width = s->pad_begin[1] + s->w + s->pad_end[1],
                  .slices = slices_of(s)};
    d->pads = d->height > s->h || d->width > s->w;
    const bool forward = directions >> MFM_CONV_FORWARD & 1, data = directions >> MFM_CONV_DATA & 1;
    const bool weights = directions >> MFM_CONV_WEIGHTS & 1;
    const int64_t packed = s->kh * s->kw * s->c * d->results.padded;
    if (forward)
        d->packed = aligned(packed);
    if (data) {
        const size_t size = aligned(s->kh * s->o * d->taps.padded);
        d->packed = size > d->packed ? size : d->packed;
    }
    if (d->pads && (forward || weights))
        d->image = aligned(d->height * d->width * s->c);
    d->row = aligned(larger(d->width * s->c, s->ow * s->o) + MFM_WIDE_LANES);
    if (weights)
        d->sum = aligned(packed);
    *state = d;
    return MFM_OK;
}

static void release(mfm_ctx *ctx, void *state)
{
    mfm_free(ctx, state);
}

static size_t scratch_size(const void *state)
{
    const direct *d = state;
    return d->packed + (size_t)d->slices * (d->image + d->row + d->sum);
}

/* ---- what the directions share ---------------------------------------------------------------
 */

/* Rows [first, last) of all images' rows, and the slice's scratch. */
typedef struct slice {
    int64_t first, last;
    real *image, *row, *sum;
} slice;

static slice slice_of(const direct *d, int64_t rows, int number, real *scratch)
{
    real *own = scratch + d->packed + (size_t)number * (d->image + d->row + d->sum);
    return (slice){.first = rows * number / d->slices,
                   .last = rows * (number + 1) / d->slices,
                   .image = own,
                   .row = own + d->image,
                   .sum = own + d->image + d->row};
}

/* Image n with its padding; `copy` is zero around it. */
static const real *padded_image(const direct *d, const real *x, int64_t n, real *copy)
{
    const mfm_conv_shape *s = &d->shape;
    const real *image = x + n * s->h * s->w * s->c;
    if (!d->pads)
        return image;
    real *inner = copy + (s->pad_begin[0] * d->width + s->pad_begin[1]) * s->c;
    for (int64_t i = 0; i < s->h; i++)
        memcpy(inner + i * d->width * s->c, image + i * s->w * s->c,
               (size_t)(s->w * s->c) * sizeof *copy);
    return copy;
}

static void clear(real *to, size_t count)
{
    memset(to, 0, count * sizeof *to);
}

static void move(const real *restrict from, int64_t count, real *restrict to, bool add)
{
    if (!add)
        memcpy(to, from, (size_t)count * sizeof *to);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] += from[i];
}

/* ---- forward ---------------------------------------------------------------------------------
 */

/* Results [first, first + BLOCK) of w [o, kh L] to packed [kh L, padded], zeros beyond o. */
static void pack_results(const direct *d, const real *w, int64_t first, real *packed)
{
    const int64_t taps = d->shape.kh * d->taps.length, padded = d->results.padded;
    const int64_t last = first + BLOCK < padded ? first + BLOCK : padded;
    for (int64_t t = 0; t < taps; t++)
        for (int64_t k = first; k < last; k++)
            packed[t * padded + k] = k < d->shape.o ? w[k * taps + t] : 0;
}

/* Vectors that end with their pixel go straight to y. */
static void forward_slice(const direct *d, const slice *part, const real *x, const real *packed,
                          real *y, bool add)
{
    const mfm_conv_shape *s = &d->shape;
    const bool straight = d->results.padded == s->o;
    const mfm_tiles tiles = {.a_point = s->stride[1] * s->c,
                             .a_tap = 1,
                             .a_row = d->width * s->c,
                             .b_tap = d->results.padded,
                             .b_row = d->taps.length * d->results.padded,
                             .out_point = s->o,
                             .points = s->ow,
                             .vectors = d->results.vectors,
                             .rows = s->kh,
                             .taps = d->taps.length,
                             .add = add && straight};
    clear(part->image, d->image);
    const real *image = NULL;
    for (int64_t r = part->first; r < part->last; r++) {
        if (!image || r % s->oh == 0)
            image = padded_image(d, x, r / s->oh, part->image);
        real *row = y + r * s->ow * s->o;
        d->results.tiles(&tiles, image + r % s->oh * s->stride[0] * d->width * s->c, packed,
                         straight ? row : part->row);
        if (!straight)
            move(part->row, s->ow * s->o, row, add);
    }
}

static size_t packed_size(const void *state)
{
    return ((const direct *)state)->packed;
}

static void pack(const void *state, const real *w, real *packed)
{
    const direct *d = state;
#pragma omp parallel for if (d->slices > 1)
    for (int64_t k = 0; k < d->results.padded; k += BLOCK)
        pack_results(d, w, k, packed);
}

static void forward(const void *state, const real *x, const real *packed, real *y, bool add,
                    real *scratch)
{
    const direct *d = state;
#pragma omp parallel for schedule(static, 1) if (d->slices > 1)
    for (int i = 0; i < d->slices; i++) {
        const slice part = slice_of(d, d->shape.n * d->shape.oh, i, scratch);
        forward_slice(d, &part, x, packed, y, add);
    }
}

/* ---- gradient of the images ------------------------------------------------------------------
 */

/* w [o, kh, L] to packed [kh, o, padded], one kernel row of one result, zeros beyond L. */
static void pack_taps(const direct *d, const real *w, int64_t i, int64_t k, real *packed)
{
    const int64_t length = d->taps.length, padded = d->taps.padded;
    real *to = packed + (i * d->shape.o + k) * padded;
    move(w + (k * d->shape.kh + i) * length, length, to, false);
    clear(to + length, (size_t)(padded - length));
}

/* One row of gradients, into a row as wide as the padded image. Kernel row i meets image row y when
 * y = oy sy + i for a result row oy: from `first` on, every sy-th. */
static void data_row(const direct *d, const real *gy, const real *packed, int64_t y, real *row)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t sy = s->stride[0], past = y - (s->oh - 1) * sy;
    const int64_t first = past > 0 ? past : y % sy, last = y < s->kh ? y : s->kh - 1;
    clear(row, d->row);
    if (first > last)
        return;
    const mfm_tiles tiles = {.a_point = s->o,
                             .a_tap = 1,
                             .a_row = -s->ow * s->o,
                             .b_tap = d->taps.padded,
                             .b_row = sy * s->o * d->taps.padded,
                             .out_point = s->stride[1] * s->c,
                             .points = s->ow,
                             .vectors = d->taps.vectors,
                             .rows = (last - first) / sy + 1,
                             .taps = s->o,
                             .add = true};
    d->taps.tiles(&tiles, gy + (y - first) / sy * s->ow * s->o,
                  packed + first * s->o * d->taps.padded, row);
}

static void data_slice(const direct *d, const slice *part, const real *gy, const real *packed,
                       real *gx, bool add)
{
    const mfm_conv_shape *s = &d->shape;
    for (int64_t r = part->first; r < part->last; r++) {
        data_row(d, gy + r / s->h * s->oh * s->ow * s->o, packed, r % s->h + s->pad_begin[0],
                 part->row);
        move(part->row + s->pad_begin[1] * s->c, s->w * s->c, gx + r * s->w * s->c, add);
    }
}

static void backward_data(const void *state, const real *gy, const real *w, real *gx, bool add,
                          real *scratch)
{
    const direct *d = state;
    const int64_t o = d->shape.o;
#pragma omp parallel if (d->slices > 1)
    {
#pragma omp for
        for (int64_t row = 0; row < d->shape.kh * o; row++)
            pack_taps(d, w, row / o, row % o, scratch);
#pragma omp for schedule(static, 1)
        for (int i = 0; i < d->slices; i++) {
            const slice part = slice_of(d, d->shape.n * d->shape.h, i, scratch);
            data_slice(d, &part, gy, scratch, gx, add);
        }
    }
}

/* ---- gradient of the weights -----------------------------------------------------------------
 */

/* Adds what `rows` result rows contribute, gy and x being at the first of them. */
static void add_rows(const direct *d, int64_t rows, const real *gy, const real *x, real *sum)
{
    const mfm_conv_shape *s = &d->shape;
    const mfm_tiles tiles = {.a_point = 1,
                             .a_tap = s->stride[1] * s->c,
                             .a_row = s->stride[0] * d->width * s->c,
                             .b_tap = s->o,
                             .b_row = s->ow * s->o,
                             .out_point = d->results.padded,
                             .points = d->taps.length,
                             .vectors = d->results.vectors,
                             .rows = rows,
                             .taps = s->ow,
                             .add = true};
    for (int64_t i = 0; i < s->kh; i++)
        d->results.tiles(&tiles, x + i * d->width * s->c, gy,
                         sum + i * d->taps.length * d->results.padded);
}

/* The vectors of the very last pixel would reach beyond gy: its row is read from a copy. */
static void weights_slice(const direct *d, const slice *part, const real *gy, const real *x)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t all = s->n * s->oh, width = s->ow * s->o;
    const int64_t safe = d->results.padded == s->o ? all : all - 1;
    clear(part->image, d->image);
    clear(part->sum, d->sum);
    for (int64_t r = part->first, end; r < part->last; r = end) {
        end = (r / s->oh + 1) * s->oh;
        end = end < part->last ? end : part->last;
        const real *image = padded_image(d, x, r / s->oh, part->image);
        const int64_t rows = (end < safe ? end : safe) - r, step = s->stride[0] * d->width * s->c;
        const real *from = image + r % s->oh * step;
        if (rows > 0)
            add_rows(d, rows, gy + r * width, from, part->sum);
        if (end > safe) {
            clear(part->row, d->row);
            move(gy + (end - 1) * width, width, part->row, false);
            add_rows(d, 1, part->row, image + (end - 1) % s->oh * step, part->sum);
        }
    }
}

/* Sums of the slices [kh L, padded] to gw [o, kh L], for results [first, first + BLOCK). */
static void unpack_results(const direct *d, const real *scratch, int64_t first, real *gw, bool add)
{
    const int64_t taps = d->shape.kh * d->taps.length;
    const int64_t last = first + BLOCK < d->shape.o ? first + BLOCK : d->shape.o;
    for (int64_t t = 0; t < taps; t++) {
        real total[BLOCK] = {0};
        for (int i = 0; i < d->slices; i++) {
            const real *sum = slice_of(d, 1, i, (real *)scratch).sum + t * d->results.padded;
            for (int64_t k = first; k < last; k++)
                total[k - first] += sum[k];
        }
        for (int64_t k = first; k < last; k++)
            gw[k * taps + t] = (add ? gw[k * taps + t] : 0) + total[k - first];
    }
}

static void backward_weights(const void *state, const real *gy, const real *x, real *gw, bool add,
                             real *scratch)
{
    const direct *d = state;
#pragma omp parallel if (d->slices > 1)
    {
#pragma omp for schedule(static, 1)
        for (int i = 0; i < d->slices; i++) {
            const slice part = slice_of(d, d->shape.n * d->shape.oh, i, scratch);
            weights_slice(d, &part, gy, x);
        }
#pragma omp for
        for (int64_t k = 0; k < d->shape.o; k += BLOCK)
            unpack_results(d, scratch, k, gw, add);
    }
}

const mfm_conv_impl mfm_conv_direct = {
    .name = "direct",
    .fits = fits,
    .make = make,
    .release = release,
    .scratch = scratch_size,
    .packed = packed_size,
    .pack = pack,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
