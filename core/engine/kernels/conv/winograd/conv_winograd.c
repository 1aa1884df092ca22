/*
 * Convolution by 3 x 3 with stride 1 through the transforms of winograd.h, in the large form or
 * (forward only) the small one. Tiles of results are taken in blocks that stay in the caches; with
 * C channels of the input, O of the result and T tiles in a block, at each of the form's points:
 *     forward  M [T, O] = V [T, C] U [C, O]     V: input tiles, U: kernels, M: results, transformed
 *     data     the same from gy to gx, with the kernels turned by 180 degrees and transposed
 *     weights  S [O, C] += N [T, O]^T V [T, C]  N: gradient tiles; S becomes the gradient of w
 */
#include <omp.h>
#include <string.h>

#include "core/base/shape.h"
#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/winograd/conv_winograd.h"
#include "core/engine/kernels/conv/winograd/panel.h"
#include "core/engine/kernels/vec.h"
#include "core/engine/kernels/conv/winograd/winograd_kernels.h"
#include "core/engine/kernels/conv/winograd/winograd_tiles.h"

enum {
    POINTS = MFM_WINOGRAD_POINTS, /* of the large transform */
    TAPS = 9,
    LANES = MFM_VEC_LANES,
    LEAST_FILLED = 8,            /* at most this part of the vectors of results is spare */
    FEW_TILES = 16,              /* fewer do not pay for the transforms of the kernels */
    CACHED_KERNELS = 160 * 1024, /* reals of transformed kernels that a core's cache holds */
    /* Tiles in a block when it does: narrow registers come with small caches. The sums of the
     * gradient are read and written once a block. */
    SMALL_BLOCK = MFM_VEC_REGISTERS == 32 ? 32 : 16,
    SUM_BLOCK = 32,
    LARGE_BLOCK = 128 /* and when kernels stream by: each is read for more tiles */
};

typedef struct winograd {
    mfm_conv_shape shape;
    int parts;                                     /* run in parallel */
    mfm_winograd_direction forward, data, weights; /* weights: forward in other blocks */
    unsigned directions;                           /* bit set of those that will be called */
} winograd;

/* What a convolution reads: one image batch, or two whose results are added up, which is one
 * convolution from twice as many channels. */
typedef struct inputs {
    int count;
    const real *x[2];
} inputs;

static int64_t round_up(int64_t channels)
{
    return (channels + LANES - 1) / LANES * LANES;
}

bool mfm_winograd_fits(const mfm_winograd_form *form, const mfm_conv_shape *s,
                       enum mfm_conv_direction which)
{
    const int64_t room = round_up(s->o), spare = room - s->o;
    if (s->kh != 3 || s->kw != 3 || s->groups != 1 || s->c % LANES)
        return false;
    if (spare > (which == MFM_CONV_DATA ? 0 : room / LEAST_FILLED))
        return false;
    for (int axis = 0; axis < 2; axis++)
        if (s->stride[axis] != 1 || s->dilation[axis] != 1 || s->pad_begin[axis] > 2 ||
            s->pad_end[axis] > 2)
            return false;
    const int64_t rows = which == MFM_CONV_DATA ? s->h : s->oh;
    const int64_t columns = which == MFM_CONV_DATA ? s->w : s->ow;
    const int64_t tiles =
        ((rows + form->out - 1) / form->out) * ((columns + form->out - 1) / form->out);
    const int64_t enough = which != MFM_CONV_WEIGHTS ? FEW_TILES
                           : mfm_conv_samples(s) > 1 ? 2 * FEW_TILES
                                                     : 1;
    /* Worth while when a third of the products of the sums is saved: */
    return mfm_conv_samples(s) * tiles >= enough &&
           3 * tiles * form->points <= 2 * s->oh * s->ow * TAPS;
}

/* Sums of chunks of few tiles would be transformed back for next to nothing. */
static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction which)
{
    return mfm_winograd_fits(&mfm_winograd_large, s, which) &&
           !(which == MFM_CONV_WEIGHTS && mfm_conv_direct.fits(s, which));
}

static bool fits_small(const mfm_conv_shape *s, enum mfm_conv_direction which)
{
    return which == MFM_CONV_FORWARD && mfm_winograd_fits(&mfm_winograd_small, s, which);
}

static int64_t at_most(int64_t value, int64_t limit)
{
    return value < limit ? value : limit;
}

static mfm_winograd_direction direction_of(const mfm_winograd_form *form, int64_t images,
                                           mfm_winograd_side from, mfm_winograd_side to,
                                           int64_t pad_rows, int64_t pad_columns,
                                           int64_t small_block, int parts)
{
    mfm_winograd_direction d = {
        .form = form, .from = from, .to = to, .pad = {pad_rows, pad_columns}};
    d.tile_rows = (to.h + form->out - 1) / form->out;
    d.tile_columns = (to.w + form->out - 1) / form->out;
    d.tiles = images * d.tile_rows * d.tile_columns;
    const bool cached = form->points * from.c * to.room <= CACHED_KERNELS;
    const int64_t block = (cached ? small_block : LARGE_BLOCK) * POINTS / form->points;
    d.block = at_most(block, (d.tiles + parts - 1) / parts);
    return d;
}

/* With few tiles and many kernels each part would have all kernels stream by for a handful of
 * tiles. Then there is one block, and its points are dealt out. */
static void share_block(mfm_winograd_direction *d, int parts)
{
    const int64_t kernels = d->form->points * d->from.c * d->to.room;
    d->shared =
        parts > 1 && kernels > CACHED_KERNELS && d->tiles <= LARGE_BLOCK * POINTS / d->form->points;
    if (d->shared)
        d->block = d->tiles;
}

static int make_form(mfm_ctx *ctx, const mfm_winograd_form *form, const mfm_conv_shape *s,
                     unsigned directions, void **state)
{
    winograd *conv = mfm_alloc(ctx, 1, sizeof *conv);
    *state = conv;
    if (!conv)
        return MFM_ENOMEM;
    const mfm_winograd_side image = {s->h, s->w, s->c, s->c};
    const mfm_winograd_side result = {s->oh, s->ow, s->o, round_up(s->o)};
    conv->shape = *s;
    conv->parts = omp_get_max_threads();
    const int64_t *pad = s->pad_begin;
    conv->forward =
        direction_of(form, s->n, image, result, pad[0], pad[1], SMALL_BLOCK, conv->parts);
    conv->data =
        direction_of(form, s->n, result, image, 2 - pad[0], 2 - pad[1], SMALL_BLOCK, conv->parts);
    conv->weights = direction_of(form, s->n, image, result, pad[0], pad[1], SUM_BLOCK, conv->parts);
    share_block(&conv->forward, conv->parts);
    share_block(&conv->data, conv->parts);
    conv->directions = directions;
    return MFM_OK;
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    return make_form(ctx, &mfm_winograd_large, s, directions, state);
}

static int make_small(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    return make_form(ctx, &mfm_winograd_small, s, directions, state);
}

static void release(mfm_ctx *ctx, void *state)
{
    mfm_free(ctx, state);
}

/* Scratch: the transformed kernels (data: once, weights: their sums, pair: two), then for each
 * part, or all of them together, a block of tiles of both sides. */
static int64_t kernel_reals(const winograd *conv)
{
    return conv->forward.form->points * conv->forward.from.c * conv->forward.to.room;
}

/* Of the sums of their gradient. */
static int64_t sum_step(const winograd *conv)
{
    return mfm_winograd_step(conv->weights.to.room, conv->weights.from.c);
}

static int64_t sum_reals(const winograd *conv)
{
    return POINTS * sum_step(conv);
}

static mfm_kernels kernels_of(const winograd *conv)
{
    return (mfm_kernels){conv->forward.form, conv->shape.o, conv->shape.c, conv->forward.to.room,
                         conv->parts};
}

static int64_t block_reals(const mfm_winograd_direction *d, int n_inputs)
{
    return d->form->points * (mfm_winograd_step(d->block, n_inputs * d->from.c) +
                              mfm_winograd_step(d->block, d->to.room));
}

static int64_t all_block_reals(const winograd *conv, const mfm_winograd_direction *d, int n_inputs)
{
    return (d->shared ? 1 : conv->parts) * block_reals(d, n_inputs);
}

static size_t scratch_size(const void *state)
{
    const winograd *conv = state;
    const int64_t kernels = kernel_reals(conv);
    int64_t size = all_block_reals(conv, &conv->forward, 1);
    if (conv->directions >> MFM_CONV_DATA & 1)
        size = mfm_larger(size, kernels + all_block_reals(conv, &conv->data, 1));
    if (conv->directions >> MFM_CONV_WEIGHTS & 1)
        size = mfm_larger(size, sum_reals(conv) + block_reals(&conv->weights, 1));
    return (size_t)size;
}

static size_t pair_scratch(const void *state)
{
    const winograd *conv = state;
    return (size_t)(2 * kernel_reals(conv) + all_block_reals(conv, &conv->forward, 2));
}

/* ---- forward and data ----------------------------------------------------------------------- */

/* Fetches the p-th of so many slices of a range of memory: the products leave the paths to memory
 * idle, and the rows of an image are too short for the processor to foresee. */
static void fetch_slice(mfm_winograd_rows r, int64_t p, int64_t points)
{
    enum { LINE = 64 / sizeof(real) };
    const int64_t lines = (r.end - r.begin) / LINE;
    for (int64_t i = lines * p / points; i < lines * (p + 1) / points; i++)
        __builtin_prefetch(r.begin + i * LINE, 0, 2);
}

/* What the products of a block fetch meanwhile: the next block's input, this block's results. */
typedef struct fetches {
    int count;
    mfm_winograd_rows ranges[3];
} fetches;

static fetches fetches_of(const mfm_winograd_direction *d, inputs in, const real *y, int64_t first,
                          int64_t rows)
{
    const int64_t after = first + rows, then = at_most(after + d->block, d->tiles);
    fetches f = {.count = in.count + 1};
    for (int i = 0; i < in.count; i++)
        f.ranges[i] = mfm_winograd_rows_of(d, &d->from, in.x[i], after, then);
    f.ranges[in.count] = mfm_winograd_rows_of(d, &d->to, y, first, after);
    return f;
}

static void multiply_point(const mfm_winograd_direction *d, int64_t depth, int64_t rows,
                           int64_t point, const real *v, const real *u, real *m)
{
    const int64_t width = d->to.room;
    mfm_panel_multiply(&(mfm_panel_product){.rows = rows,
                                            .depth = depth,
                                            .width = width,
                                            .a = v + point * mfm_winograd_step(rows, depth),
                                            .b = u + point * depth * width,
                                            .c = m + point * mfm_winograd_step(rows, width),
                                            .a_step = rows * LANES,
                                            .c_step = rows * LANES});
}

/* Tiles of all inputs, those of one behind those of the other. */
static void read_inputs(const mfm_winograd_direction *d, inputs in, mfm_winograd_block b, real *v)
{
    for (int i = 0; i < in.count; i++)
        mfm_winograd_read_block(d, in.x[i], b, v + i * b.room * d->from.c,
                                mfm_winograd_step(b.room, in.count * d->from.c));
}

static void convolve_part(const winograd *conv, const mfm_winograd_direction *d, inputs in,
                          const real *u, real *y, bool add, int part, real *v)
{
    const int64_t depth = in.count * d->from.c;
    const int64_t blocks = (d->tiles + d->block - 1) / d->block;
    const int64_t begin = blocks * part / conv->parts, end = blocks * (part + 1) / conv->parts;
    real *m = v + d->form->points * mfm_winograd_step(d->block, depth);
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i * d->block, rows = at_most(d->block, d->tiles - first);
        const mfm_winograd_block b = {first, rows, rows};
        const fetches f = fetches_of(d, in, y, first, rows);
        read_inputs(d, in, b, v);
        for (int64_t point = 0; point < d->form->points; point++) {
            for (int k = 0; k < f.count; k++)
                fetch_slice(f.ranges[k], point, d->form->points);
            multiply_point(d, depth, rows, point, v, u, m);
        }
        mfm_winograd_write_block(d, m, b, y, add);
    }
}

/* A part's share of the one block. */
static mfm_winograd_block share_of(const winograd *conv, const mfm_winograd_direction *d, int part)
{
    const int64_t begin = d->tiles * part / conv->parts, end = d->tiles * (part + 1) / conv->parts;
    return (mfm_winograd_block){begin, end - begin, d->tiles};
}

static void convolve_shared(const winograd *conv, const mfm_winograd_direction *d, inputs in,
                            const real *u, real *y, bool add, real *v)
{
    const int64_t depth = in.count * d->from.c;
    real *m = v + d->form->points * mfm_winograd_step(d->tiles, depth);
#pragma omp parallel num_threads(conv->parts)
    {
#pragma omp for schedule(static)
        for (int part = 0; part < conv->parts; part++) {
            const mfm_winograd_block b = share_of(conv, d, part);
            read_inputs(d, in, b, v + b.first * LANES);
        }
#pragma omp for schedule(static)
        for (int64_t point = 0; point < d->form->points; point++)
            multiply_point(d, depth, d->tiles, point, v, u, m);
#pragma omp for schedule(static)
        for (int part = 0; part < conv->parts; part++) {
            const mfm_winograd_block b = share_of(conv, d, part);
            mfm_winograd_write_block(d, m + b.first * LANES, b, y, add);
        }
    }
}

/* The blocks of a part are next to each other. */
static void convolve(const winograd *conv, const mfm_winograd_direction *d, inputs in,
                     const real *u, real *y, bool add, real *scratch)
{
    if (d->shared) {
        convolve_shared(conv, d, in, u, y, add, scratch);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(conv->parts)
    for (int part = 0; part < conv->parts; part++)
        convolve_part(conv, d, in, u, y, add, part, scratch + part * block_reals(d, in.count));
}

static void pack(const void *state, const real *w, real *u)
{
    const winograd *conv = state;
    mfm_winograd_kernels(kernels_of(conv), w, conv->shape.c, u);
}

static size_t packed_size(const void *state)
{
    return (size_t)kernel_reals(state);
}

static void forward(const void *state, const real *x, const real *u, real *y, bool add,
                    real *scratch)
{
    const winograd *conv = state;
    convolve(conv, &conv->forward, (inputs){1, {x}}, u, y, add, scratch);
}

static void forward_pair(const void *state, const real *x1, const real *w1, const real *x2,
                         const real *w2, real *y, real *scratch)
{
    const winograd *conv = state;
    const int64_t c = conv->shape.c;
    mfm_winograd_kernels(kernels_of(conv), w1, 2 * c, scratch);
    mfm_winograd_kernels(kernels_of(conv), w2, 2 * c, scratch + c * conv->forward.to.room);
    convolve(conv, &conv->forward, (inputs){2, {x1, x2}}, scratch, y, false,
             scratch + 2 * kernel_reals(conv));
}

static void backward_data(const void *state, const real *gy, const real *w, real *gx, bool add,
                          real *scratch)
{
    const winograd *conv = state;
    mfm_winograd_turned_kernels(kernels_of(conv), w, scratch);
    convolve(conv, &conv->data, (inputs){1, {gy}}, scratch, gx, add, scratch + kernel_reals(conv));
}

/* ---- weights -------------------------------------------------------------------------------- */

/* s [36][o][c] += n^T v at every point, s_step from one to the next */
static void add_products(const mfm_winograd_direction *d, int64_t rows, const real *n,
                         const real *v, real *s, int64_t s_step, bool add, mfm_winograd_rows next,
                         mfm_winograd_rows next_gradient)
{
    const int64_t c = d->from.c, o = d->to.room;
    for (int64_t point = 0; point < POINTS; point++) {
        fetch_slice(next, point, POINTS);
        fetch_slice(next_gradient, point, POINTS);
        mfm_panel_add_outer(&(mfm_panel_outer){.rows = rows,
                                               .height = o,
                                               .width = c,
                                               .a = n + point * mfm_winograd_step(rows, o),
                                               .b = v + point * mfm_winograd_step(rows, c),
                                               .c = s + point * s_step,
                                               .a_step = rows * LANES,
                                               .b_step = rows * LANES,
                                               .add = add});
    }
}

/* In one thread. */
static void backward_weights(const void *state, const real *gy, const real *x, real *gw, bool add,
                             real *scratch)
{
    const winograd *conv = state;
    const mfm_winograd_direction *d = &conv->weights;
    real *s = scratch, *v = s + sum_reals(conv);
    real *n = v + POINTS * mfm_winograd_step(d->block, d->from.c);
    for (int64_t first = 0; first < d->tiles; first += d->block) {
        const int64_t rows = at_most(d->block, d->tiles - first);
        const mfm_winograd_block tiles = {first, rows, rows};
        mfm_winograd_read_block(d, x, tiles, v, mfm_winograd_step(rows, d->from.c));
        mfm_winograd_gradient_block(d, gy, tiles, 0, d->to.room, n);
        /* at the end, what lies behind: the next chunk, perhaps, and fetching cannot fail */
        const int64_t after = first + rows, then = after + d->block;
        add_products(d, rows, n, v, s, sum_step(conv), first > 0,
                     mfm_winograd_rows_of(d, &d->from, x, after, then),
                     mfm_winograd_rows_of(d, &d->to, gy, after, then));
    }
    mfm_winograd_kernel_sums(kernels_of(conv), s, sum_step(conv), gw, add);
}

const mfm_conv_impl mfm_conv_winograd = {
    .name = "Winograd",
    .fits = fits,
    .make = make,
    .release = release,
    .scratch = scratch_size,
    .packed = packed_size,
    .pack = pack,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .forward_pair = forward_pair,
    .pair_scratch = pair_scratch,
};

const mfm_conv_impl mfm_conv_winograd_small = {
    .name = "Winograd 2 x 2",
    .fits = fits_small,
    .make = make_small,
    .release = release,
    .scratch = scratch_size,
    .packed = packed_size,
    .pack = pack,
    .forward = forward,
};
