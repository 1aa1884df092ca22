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
 * The windows of gx overlap. They are stored apart and added up from there: to add each in place
 * would have it wait for the stores of the one before.
 *
 * Scratch: the packed weights (data) or the padded bias (forward), then what each slice has of its
 * own: a padded image (forward, weights), a row of results or of windows, and a packed sum
 * (weights).
 */
#include <omp.h>
#include <string.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/conv_tiles.h"
#include "core/engine/kernels/vec.h"

enum {
    PARALLEL_FROM = 1 << 17, /* multiplications: with fewer, threads cost more than they bring */
    PACK_PARALLEL_FROM = 1 << 15,
    BLOCK = 16,      /* results that are transposed together */
    MANY_PIXELS = 64 /* enough for one sum in registers */
};

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
    int64_t windows;                    /* reals of a row of gx's windows, zeros around each */
    size_t packed;                      /* reals of the weights for forward */
    size_t shared, image, row, sum;     /* reals of the parts of scratch */
    ptrdiff_t *at[MFM_CONV_DIRECTIONS]; /* where the points of a tile go */
} direct;

static lanes lanes_of(int64_t length)
{
    const bool narrow = length <= MFM_NARROW_LANES;
    const int64_t lane = narrow ? MFM_NARROW_LANES : MFM_WIDE_LANES;
    const int64_t vectors = (length + lane - 1) / lane;
    return (lanes){narrow ? mfm_tiles_narrow : mfm_tiles_wide, length, vectors * lane, vectors};
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Shapes at which this was measured to be at least as fast as the libraries. With strides they
 * are ahead in wide vectors; the gradient of narrow images suffers from its windows' overlap. */
static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    const bool plain = s->groups == 1 && s->dilation[0] == 1 && s->dilation[1] == 1;
    const bool few_channels = s->c <= 8 && s->o <= 32;
    const bool few_pixels = s->c <= 16 && s->oh * s->ow <= 16;
    const bool strided = (int)MFM_VEC_BYTES <= (int)MFM_CONV_NARROW_BYTES && s->stride[1] == 2 &&
                         s->c <= 32 && s->o <= 64 && (direction != MFM_CONV_DATA || s->c > 16);
    return plain && (few_channels || few_pixels || strided);
}

static int slices_of(const mfm_conv_shape *s)
{
    const int64_t threads = omp_get_max_threads();
    const int64_t macs = mfm_conv_result_count(s) * s->kh * s->kw * s->c;
    const int64_t rows = s->n * (s->oh < s->h ? s->oh : s->h);
    return macs < PARALLEL_FROM ? 1 : (int)(threads < rows ? threads : rows);
}

static void set_sizes(direct *d, unsigned directions)
{
    const mfm_conv_shape *s = &d->shape;
    const bool forward = directions >> MFM_CONV_FORWARD & 1, data = directions >> MFM_CONV_DATA & 1;
    const bool weights = directions >> MFM_CONV_WEIGHTS & 1;
    const int64_t by_result = s->kh * d->taps.length * d->results.padded;
    const int64_t by_tap = s->kh * s->o * d->taps.padded;
    d->packed = forward ? (size_t)by_result : 0;
    d->shared =
        mfm_conv_aligned((size_t)larger(forward ? d->results.padded : 0, data ? by_tap : 0));
    d->image = mfm_conv_aligned(
        d->pads && (forward || weights) ? (size_t)(d->height * d->width * s->c) : 0);
    d->windows = data ? s->ow * (d->taps.padded + MFM_WIDE_LANES) + MFM_WIDE_LANES : 0;
    d->row = mfm_conv_aligned((size_t)larger(s->ow * s->o + MFM_WIDE_LANES, d->windows));
    d->sum = mfm_conv_aligned(weights ? (size_t)by_result : 0);
}

/* Where the points of each direction go: pixels of y, windows of gx, taps of the packed sum. */
static int set_places(mfm_ctx *ctx, direct *d)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t counts[MFM_CONV_DIRECTIONS] = {s->ow, s->ow, d->taps.length};
    for (int i = 0; i < MFM_CONV_DIRECTIONS; i++) {
        d->at[i] = mfm_alloc(ctx, (size_t)counts[i], sizeof *d->at[i]);
        if (!d->at[i])
            return MFM_ENOMEM;
    }
    for (int64_t p = 0; p < s->ow; p++) {
        d->at[MFM_CONV_FORWARD][p] = p * s->o;
        d->at[MFM_CONV_DATA][p] = MFM_WIDE_LANES + p * (d->taps.padded + MFM_WIDE_LANES);
    }
    for (int64_t t = 0; t < d->taps.length; t++)
        d->at[MFM_CONV_WEIGHTS][t] = t * d->results.padded;
    return MFM_OK;
}

static void release(mfm_ctx *ctx, void *state)
{
    direct *d = state;
    for (int i = 0; d && i < MFM_CONV_DIRECTIONS; i++)
        mfm_free(ctx, d->at[i]);
    mfm_free(ctx, d);
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
    set_sizes(d, directions);
    const int status = set_places(ctx, d);
    if (status) {
        release(ctx, d);
        return status;
    }
    *state = d;
    return MFM_OK;
}

static size_t scratch_size(const void *state)
{
    const direct *d = state;
    return d->shared + (size_t)d->slices * (d->image + d->row + d->sum);
}

/* ---- what the directions share --------------------------------------------------------------- */

/* Rows [first, last) of all images' rows, and the slice's scratch. */
typedef struct slice {
    int64_t first, last;
    real *image, *row, *sum;
} slice;

static slice slice_of(const direct *d, int64_t rows, int number, real *scratch)
{
    real *own = scratch + d->shared + (size_t)number * (d->image + d->row + d->sum);
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

/* ---- forward --------------------------------------------------------------------------------- */

/* Results [first, first + BLOCK) of w [o, kh L] to packed [kh L, padded], zeros beyond o. */
static void pack_results(const direct *d, const real *w, int64_t first, real *packed)
{
    const int64_t taps = d->shape.kh * d->taps.length, padded = d->results.padded;
    const int64_t last = first + BLOCK < padded ? first + BLOCK : padded;
    for (int64_t t = 0; t < taps; t++)
        for (int64_t k = first; k < last; k++)
            packed[t * padded + k] = k < d->shape.o ? w[k * taps + t] : 0;
}

/* Rows go straight to y, unless the last vector of a row's last pixel reaches beyond it and there
 * is no next row to set that right: at the end of the slice, and when adding. */
static void forward_slice(const direct *d, const slice *part, const real *x, const real *packed,
                          const real *bias, real *y, bool add)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t width = s->ow * s->o, beyond = d->results.padded - s->o;
    const bool whole = beyond == 0;
    const int64_t straight =
        add && !whole ? part->first : part->last - (beyond + width - 1) / width;
    const mfm_tiles tiles = {.a_point = s->stride[1] * s->c,
                             .a_tap = 1,
                             .a_row = d->width * s->c,
                             .b_tap = d->results.padded,
                             .b_row = d->taps.length * d->results.padded,
                             .points = s->ow,
                             .vectors = d->results.vectors,
                             .taps = d->taps.length,
                             .rows = s->kh,
                             .set_rows = s->kh,
                             .start = bias,
                             .out_at = d->at[MFM_CONV_FORWARD],
                             .add = add && whole};
    clear(part->image, d->image);
    const real *image = NULL;
    for (int64_t r = part->first; r < part->last; r++) {
        if (!image || r % s->oh == 0)
            image = padded_image(d, x, r / s->oh, part->image);
        real *row = y + r * width;
        d->results.tiles(&tiles, image + r % s->oh * s->stride[0] * d->width * s->c, packed,
                         r < straight ? row : part->row);
        if (r >= straight)
            move(part->row, width, row, add);
    }
}

static size_t packed_size(const void *state)
{
    return ((const direct *)state)->packed;
}

static void pack(const void *state, const real *w, real *packed)
{
    const direct *d = state;
#pragma omp parallel for if (d->packed >= PACK_PARALLEL_FROM)
    for (int64_t k = 0; k < d->results.padded; k += BLOCK)
        pack_results(d, w, k, packed);
}

static void run_forward(const direct *d, const real *x, const real *packed, const real *bias,
                        real *y, bool add, real *scratch)
{
#pragma omp parallel for schedule(static, 1) if (d->slices > 1)
    for (int i = 0; i < d->slices; i++) {
        const slice part = slice_of(d, d->shape.n * d->shape.oh, i, scratch);
        forward_slice(d, &part, x, packed, bias, y, add);
    }
}

static void forward(const void *state, const real *x, const real *packed, real *y, bool add,
                    real *scratch)
{
    run_forward(state, x, packed, NULL, y, add, scratch);
}

static void forward_bias(const void *state, const real *x, const real *packed, const real *bias,
                         real *y, real *scratch)
{
    const direct *d = state;
    clear(scratch, d->shared);
    move(bias, d->shape.o, scratch, false);
    run_forward(d, x, packed, scratch, y, false, scratch);
}

/* ---- gradient of the images ------------------------------------------------------------------ */

/* w [o, kh, L] to packed [kh, o, padded], one kernel row of one result, zeros beyond L. */
static void pack_taps(const direct *d, const real *w, int64_t i, int64_t k, real *packed)
{
    const int64_t length = d->taps.length, padded = d->taps.padded;
    real *to = packed + (i * d->shape.o + k) * padded;
    move(w + (k * d->shape.kh + i) * length, length, to, false);
    clear(to + length, (size_t)(padded - length));
}

/* The windows of one row of gx, apart; false when there are none. Kernel row i meets image row y
 * when y = oy sy + i for a result row oy: from `first` on, every sy-th. */
static bool data_windows(const direct *d, const real *gy, const real *packed, int64_t y,
                         real *windows)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t sy = s->stride[0], past = y - (s->oh - 1) * sy;
    const int64_t first = past > 0 ? past : y % sy, last = y < s->kh ? y : s->kh - 1;
    if (first > last)
        return false;
    const mfm_tiles tiles = {.a_point = s->o,
                             .a_tap = 1,
                             .a_row = -s->ow * s->o,
                             .b_tap = d->taps.padded,
                             .b_row = sy * s->o * d->taps.padded,
                             .points = s->ow,
                             .vectors = d->taps.vectors,
                             .taps = s->o,
                             .rows = (last - first) / sy + 1,
                             .set_rows = s->kh,
                             .out_at = d->at[MFM_CONV_DATA]};
    d->taps.tiles(&tiles, gy + (y - first) / sy * s->ow * s->o,
                  packed + first * s->o * d->taps.padded, windows);
    return true;
}

/* Lanes [at, at + MFM_WIDE_LANES) of a row of the padded gx: the sum of the windows that meet them.
 */
static mfm_vec sum_windows(const direct *d, const real *windows, int64_t at)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t step = s->stride[1] * s->c, reach = at - d->taps.length;
    const int64_t first = reach < 0 ? 0 : reach / step + 1, last = (at + MFM_WIDE_LANES - 1) / step;
    mfm_vec sum = mfm_vec_zero();
    for (int64_t p = first; p <= last && p < s->ow; p++)
        sum += mfm_vec_load(windows + d->at[MFM_CONV_DATA][p] + at - p * step);
    return sum;
}

/* Row r of gx from its windows. */
static void add_windows(const direct *d, const real *windows, int64_t r, real *gx, bool add)
{
    const int64_t width = d->shape.w * d->shape.c, before = d->shape.pad_begin[1] * d->shape.c;
    for (int64_t i = 0; i < width; i += MFM_WIDE_LANES) {
        const mfm_vec sum = sum_windows(d, windows, before + i);
        const int64_t count = width - i < MFM_WIDE_LANES ? width - i : MFM_WIDE_LANES;
        real tail[MFM_WIDE_LANES], *to = gx + r * width + i;

        if (count == MFM_WIDE_LANES)
            mfm_vec_store(to, add ? sum + mfm_vec_load(to) : sum);
        else {
            mfm_vec_store(tail, sum);
            move(tail, count, to, add);
        }
    }
}

/* Around the windows stay zeros. Windows are added up one row late: loads that meet stores not yet
 * done are slow. */
static void data_slice(const direct *d, const slice *part, const real *gy, const real *packed,
                       real *gx, bool add)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t width = s->w * s->c, images = s->oh * s->ow * s->o;
    clear(part->row, d->row);
    for (int64_t r = part->first; r < part->last; r++)
        if (data_windows(d, gy + r / s->h * images, packed, r % s->h + s->pad_begin[0], part->row))
            add_windows(d, part->row, r, gx, add);
        else if (!add)
            clear(gx + r * width, (size_t)width);
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

/* ---- gradient of the weights ----------------------------------------------------------------- */

/* Adds what `rows` result rows contribute, gy and x being at the first of them; when they are of
 * several images, at the first row of an image. */
static void add_rows(const direct *d, int64_t rows, const real *gy, const real *x, real *sum)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t row = d->width * s->c;
    const mfm_tiles tiles = {.a_point = 1,
                             .a_tap = s->stride[1] * s->c,
                             .a_row = s->stride[0] * row,
                             .a_skip = (d->height - s->oh * s->stride[0]) * row,
                             .b_tap = s->o,
                             .b_row = s->ow * s->o,
                             .points = d->taps.length,
                             .vectors = d->results.vectors,
                             .taps = s->ow,
                             .rows = rows,
                             .set_rows = s->oh,
                             .out_at = d->at[MFM_CONV_WEIGHTS],
                             .add = true};
    for (int64_t i = 0; i < s->kh; i++)
        d->results.tiles(&tiles, x + i * row, gy, sum + i * d->taps.length * d->results.padded);
}

/* Rows from r on that are taken at once: of one image, or of several small ones that need no
 * copies, since the sums in registers should be of many pixels. */
static int64_t rows_at_once(const direct *d, int64_t r, int64_t last)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t pixels = s->oh * s->ow;
    const int64_t images = d->pads || r % s->oh ? 1 : (MANY_PIXELS + pixels - 1) / pixels;
    const int64_t end = (r / s->oh + images) * s->oh;
    return (end < last ? end : last) - r;
}

/* The vectors of the very last pixels may reach beyond gy: their rows are read from copies. */
static void weights_slice(const direct *d, const slice *part, const real *gy, const real *x)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t width = s->ow * s->o, step = s->stride[0] * d->width * s->c;
    const int64_t beyond = d->results.padded - s->o;
    const int64_t straight = s->n * s->oh - (beyond + width - 1) / width;
    const int64_t last = part->last < straight ? part->last : straight;
    clear(part->image, d->image);
    clear(part->sum, d->sum);
    int64_t r = part->first;
    for (int64_t rows; r < last; r += rows) {
        rows = rows_at_once(d, r, last);
        add_rows(d, rows, gy + r * width,
                 padded_image(d, x, r / s->oh, part->image) + r % s->oh * step, part->sum);
    }
    for (; r < part->last; r++) {
        clear(part->row, d->row);
        move(gy + r * width, width, part->row, false);
        add_rows(d, 1, part->row, padded_image(d, x, r / s->oh, part->image) + r % s->oh * step,
                 part->sum);
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
    .forward_bias = forward_bias,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
