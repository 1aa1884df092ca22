/*
 * Direct convolution without groups or dilation, for few channels, where blocks of 16 channels and
 * columns of im2col are mostly padding. The L = kw c taps of a kernel row lie side by side in an
 * image row, so each direction is a sum of broadcasts times vectors (conv_tiles.h). With kernel
 * rows i, strides sy and sx, and rows counted in the padded image:
 *     forward   y[oy, p, :] = sum_i sum_t x[oy sy + i, p sx c + t] w[i, t, :]
 *     data      gx[iy, p sx c + :] += sum_i sum_k gy[(iy - i) / sy, p, k] w[k, i, :]
 *     weights   gw[i, t, :] = sum_oy sum_p x[oy sy + i, p sx c + t] gy[oy, p, :]
 * where ":" runs over vectors, of o results or (data) of L taps. Rows are dealt out in slices, one
 * a thread, fixed at make; gw is made in one thread.
 *
 * The windows of gx overlap. They are stored apart and added up from there: to add each in place
 * would have it wait for the stores of the one before.
 *
 * Scratch: the packed weights (data) or the padded bias (forward), then what each slice has of its
 * own: a padded image (forward, weights), and a row of results or of windows; behind all, a copy of
 * gy or of a sum (weights).
 */
#include <omp.h>
#include <string.h>

#include "core/base/shape.h"
#include "core/engine/kernels/conv/direct/conv_direct.h"
#include "core/engine/kernels/conv/conv_finish.h"
#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/vec.h"

enum {
    PARALLEL_FROM = 1 << 17 /* multiplications: with fewer, threads cost more than they bring */
};

static mfm_direct_lanes lanes_of(int64_t length)
{
    const bool narrow = length <= MFM_NARROW_LANES;
    const int64_t lane = narrow ? MFM_NARROW_LANES : MFM_WIDE_LANES;
    const int64_t vectors = (length + lane - 1) / lane;
    return (mfm_direct_lanes){narrow ? mfm_tiles_narrow : mfm_tiles_wide, length, vectors * lane,
                              vectors};
}

/* Shapes at which this was measured to be at least as fast as the libraries. With strides they
 * are ahead in wide vectors; the gradient of narrow images suffers from its windows' overlap. */
static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    const bool plain = s->groups == 1 && s->dilation[0] == 1 && s->dilation[1] == 1;
    const bool few_pixels = s->c <= 16 && s->oh * s->ow <= 16;
    const bool strided = (int)MFM_VEC_BYTES <= (int)MFM_CONV_NARROW_BYTES && s->stride[1] == 2 &&
                         s->c <= 32 && s->o <= 64 && (direction != MFM_CONV_DATA || s->c > 16);
    return plain && (mfm_conv_few_channels(s) || few_pixels || strided);
}

static int slices_of(const mfm_conv_shape *s)
{
    const int64_t threads = omp_get_max_threads();
    const int64_t macs = mfm_conv_result_count(s) * s->kh * s->kw * s->c;
    const int64_t rows = s->n * (s->oh < s->h ? s->oh : s->h);
    return macs < PARALLEL_FROM ? 1 : (int)(threads < rows ? threads : rows);
}

static void set_sizes(mfm_direct *d, unsigned directions)
{
    const mfm_conv_shape *s = &d->shape;
    const bool forward = directions >> MFM_CONV_FORWARD & 1, data = directions >> MFM_CONV_DATA & 1;
    const bool weights = directions >> MFM_CONV_WEIGHTS & 1;
    const int64_t by_result = s->kh * d->taps.length * d->results.padded;
    const int64_t by_tap = s->kh * s->o * d->taps.padded;
    d->packed = forward ? (size_t)by_result : 0;
    d->shared =
        mfm_conv_aligned((size_t)mfm_larger(forward ? d->results.padded : 0, data ? by_tap : 0));
    d->image = mfm_conv_aligned(
        d->pads && (forward || weights) ? (size_t)(d->height * d->width * s->c) : 0);
    d->apart = mfm_conv_aligned(!weights                 ? 0
                                : !mfm_direct_at_once(d) ? (size_t)by_result
                                : mfm_direct_beyond(d)
                                    ? (size_t)(mfm_conv_result_count(s) + mfm_direct_beyond(d))
                                    : 0);
    d->windows = data ? s->ow * (d->taps.padded + MFM_WIDE_LANES) + MFM_WIDE_LANES : 0;
    d->row = mfm_conv_aligned((size_t)mfm_larger(s->ow * s->o + MFM_WIDE_LANES, d->windows));
}

/* Where the points of each direction go: pixels of y, windows of gx, taps of the packed sum. */
static int set_places(mfm_ctx *ctx, mfm_direct *d)
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
    mfm_direct *d = state;
    for (int i = 0; d && i < MFM_CONV_DIRECTIONS; i++)
        mfm_free(ctx, d->at[i]);
    mfm_free(ctx, d);
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    mfm_direct *d = mfm_alloc(ctx, 1, sizeof *d);
    if (!d)
        return MFM_ENOMEM;
    *d = (mfm_direct){.shape = *s,
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
    const mfm_direct *d = state;
    return d->shared + (size_t)d->slices * (d->image + d->row) + d->apart;
}

/* ---- what the directions share --------------------------------------------------------------- */

/* Rows [first, last) of all images' rows, and the slice's scratch. */
typedef struct slice {
    int64_t first, last;
    real *image, *row;
} slice;

static slice slice_of(const mfm_direct *d, int64_t rows, int number, real *scratch)
{
    real *own = scratch + d->shared + (size_t)number * (d->image + d->row);
    return (slice){.first = rows * number / d->slices,
                   .last = rows * (number + 1) / d->slices,
                   .image = own,
                   .row = own + d->image};
}

const real *mfm_direct_image(const mfm_direct *d, const real *x, int64_t n, real *copy)
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

/* ---- forward --------------------------------------------------------------------------------- */

/* Results [first, first + MFM_DIRECT_BLOCK) of w [o, kh L] to packed [kh L, padded], zeros beyond
 * o. */
static void pack_results(const mfm_direct *d, const real *w, int64_t first, real *packed)
{
    const int64_t taps = d->shape.kh * d->taps.length, padded = d->results.padded;
    const int64_t last = first + MFM_DIRECT_BLOCK < padded ? first + MFM_DIRECT_BLOCK : padded;
    for (int64_t t = 0; t < taps; t++)
        for (int64_t k = first; k < last; k++)
            packed[t * padded + k] = k < d->shape.o ? w[k * taps + t] : 0;
}

/* Rows go straight to y, unless the last vector of a row's last pixel reaches beyond it and there
 * is no next row to set that right: at the end of the slice, and when adding. */
static void forward_slice(const mfm_direct *d, const slice *part, const real *x, const real *packed,
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
    mfm_direct_clear(part->image, d->image);
    const real *image = NULL;
    for (int64_t r = part->first; r < part->last; r++) {
        if (!image || r % s->oh == 0)
            image = mfm_direct_image(d, x, r / s->oh, part->image);
        real *row = y + r * width;
        d->results.tiles(&tiles, image + r % s->oh * s->stride[0] * d->width * s->c, packed,
                         r < straight ? row : part->row);
        if (r >= straight)
            mfm_direct_move(part->row, width, row, add);
        if (s->finish > MFM_CONV_BIAS)
            mfm_conv_finish_each(&s->finish, (size_t)width, row, row);
    }
}

static size_t packed_size(const void *state)
{
    return ((const mfm_direct *)state)->packed;
}

static void pack(const void *state, const real *w, real *packed)
{
    const mfm_direct *d = state;
#pragma omp parallel for if (d->packed >= MFM_DIRECT_PARALLEL_FROM)
    for (int64_t k = 0; k < d->results.padded; k += MFM_DIRECT_BLOCK)
        pack_results(d, w, k, packed);
}

static void run_forward(const mfm_direct *d, const real *x, const real *packed, const real *bias,
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
    const mfm_direct *d = state;
    mfm_direct_clear(scratch, d->shared);
    mfm_direct_move(bias, d->shape.o, scratch, false);
    run_forward(d, x, packed, scratch, y, false, scratch);
}

/* ---- gradient of the images ------------------------------------------------------------------ */

/* w [o, kh, L] to packed [kh, o, padded], one kernel row of one result, zeros beyond L. */
static void pack_taps(const mfm_direct *d, const real *w, int64_t i, int64_t k, real *packed)
{
    const int64_t length = d->taps.length, padded = d->taps.padded;
    real *to = packed + (i * d->shape.o + k) * padded;
    mfm_direct_move(w + (k * d->shape.kh + i) * length, length, to, false);
    mfm_direct_clear(to + length, (size_t)(padded - length));
}

/* The windows of one row of gx, apart; false when there are none. Kernel row i meets image row y
 * when y = oy sy + i for a result row oy: from `first` on, every sy-th. */
static bool data_windows(const mfm_direct *d, const real *gy, const real *packed, int64_t y,
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
static mfm_vec sum_windows(const mfm_direct *d, const real *windows, int64_t at)
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
static void add_windows(const mfm_direct *d, const real *windows, int64_t r, real *gx, bool add)
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
            mfm_direct_move(tail, count, to, add);
        }
    }
}

/* Around the windows stay zeros. Windows are added up one row late: loads that meet stores not yet
 * done are slow. */
static void data_slice(const mfm_direct *d, const slice *part, const real *gy, const real *packed,
                       real *gx, bool add)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t width = s->w * s->c, images = s->oh * s->ow * s->o;
    mfm_direct_clear(part->row, d->row);
    for (int64_t r = part->first; r < part->last; r++)
        if (data_windows(d, gy + r / s->h * images, packed, r % s->h + s->pad_begin[0], part->row))
            add_windows(d, part->row, r, gx, add);
        else if (!add)
            mfm_direct_clear(gx + r * width, (size_t)width);
}

static void backward_data(const void *state, const real *gy, const real *w, real *gx, bool add,
                          real *scratch)
{
    const mfm_direct *d = state;
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
    .forward_finished = forward_bias, /* by shape.finish */
    .backward_data = backward_data,
    .backward_weights = mfm_direct_weights,
    .weights_sum = mfm_direct_weights_sum,
    .weights_finish = mfm_direct_finish,
};
