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

#include "core/engine/kernels/conv_impl.h"
#include "core/engine/kernels/conv_shape.h"
#include "core/engine/kernels/panel.h"
#include "core/engine/kernels/vec.h"
#include "core/engine/kernels/winograd.h"
#include "core/engine/kernels/winograd_kernels.h"

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

/* One side of a convolution: images that are read in tiles of 6, or results in tiles of 4. */
typedef struct side {
    int64_t h, w, c;
    int64_t room; /* c in whole vectors; more than c on the side of the results only */
} side;

/* A convolution from one side to the other. Backward, the sides are swapped. */
typedef struct direction {
    const mfm_winograd_form *form;
    side from, to;
    int64_t pad[2];
    int64_t tile_rows, tile_columns, tiles; /* of `to`, all images */
    int64_t block;                          /* tiles */
} direction;

typedef struct winograd {
    mfm_conv_shape shape;
    int parts;                        /* run in parallel */
    direction forward, data, weights; /* weights: forward in other blocks */
    unsigned directions;              /* bit set of those that will be called */
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

static bool fits_form(const mfm_winograd_form *form, const mfm_conv_shape *s,
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
    const int64_t enough = which == MFM_CONV_WEIGHTS ? 2 * FEW_TILES : FEW_TILES;
    /* Worth while when a third of the products of the sums is saved: */
    return s->n * tiles >= enough && 3 * tiles * form->points <= 2 * s->oh * s->ow * TAPS;
}

static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction which)
{
    return fits_form(&mfm_winograd_large, s, which);
}

static bool fits_small(const mfm_conv_shape *s, enum mfm_conv_direction which)
{
    return which == MFM_CONV_FORWARD && fits_form(&mfm_winograd_small, s, which);
}

static int64_t at_most(int64_t value, int64_t limit)
{
    return value < limit ? value : limit;
}

static direction direction_of(const mfm_winograd_form *form, int64_t images, side from, side to,
                              int64_t pad_rows, int64_t pad_columns, int64_t small_block, int parts)
{
    direction d = {.form = form, .from = from, .to = to, .pad = {pad_rows, pad_columns}};
    d.tile_rows = (to.h + form->out - 1) / form->out;
    d.tile_columns = (to.w + form->out - 1) / form->out;
    d.tiles = images * d.tile_rows * d.tile_columns;
    const bool cached = form->points * from.c * to.room <= CACHED_KERNELS;
    const int64_t block = (cached ? small_block : LARGE_BLOCK) * POINTS / form->points;
    d.block = at_most(block, (d.tiles + parts - 1) / parts);
    return d;
}

static int make_form(mfm_ctx *ctx, const mfm_winograd_form *form, const mfm_conv_shape *s,
                     unsigned directions, void **state)
{
    winograd *conv = mfm_alloc(ctx, 1, sizeof *conv);
    *state = conv;
    if (!conv)
        return MFM_ENOMEM;
    const side image = {s->h, s->w, s->c, s->c};
    const side result = {s->oh, s->ow, s->o, round_up(s->o)};
    conv->shape = *s;
    conv->parts = omp_get_max_threads();
    const int64_t *pad = s->pad_begin;
    conv->forward =
        direction_of(form, s->n, image, result, pad[0], pad[1], SMALL_BLOCK, conv->parts);
    conv->data =
        direction_of(form, s->n, result, image, 2 - pad[0], 2 - pad[1], SMALL_BLOCK, conv->parts);
    conv->weights = direction_of(form, s->n, image, result, pad[0], pad[1], SUM_BLOCK, conv->parts);
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

/* Scratch: the transformed kernels (data: once, weights: of each part, pair: two), then for each
 * part a block of tiles of both sides. */
static int64_t kernel_reals(const winograd *conv)
{
    return conv->forward.form->points * conv->forward.from.c * conv->forward.to.room;
}

static mfm_kernels kernels_of(const winograd *conv)
{
    return (mfm_kernels){conv->forward.form, conv->shape.o, conv->shape.c, conv->forward.to.room,
                         conv->parts};
}

/* Reals from a point to the next in a block of tiles: an odd number of vectors, because an even one
 * would map the 36 points of a tile onto few sets of the cache. */
static int64_t point_step(int64_t rows, int64_t channels)
{
    return (rows * channels / LANES | 1) * LANES;
}

static int64_t block_reals(const direction *d, int n_inputs)
{
    return d->form->points *
           (point_step(d->block, n_inputs * d->from.c) + point_step(d->block, d->to.room));
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static size_t scratch_size(const void *state)
{
    const winograd *conv = state;
    const int64_t kernels = kernel_reals(conv);
    int64_t size = conv->parts * block_reals(&conv->forward, 1);
    if (conv->directions >> MFM_CONV_DATA & 1)
        size = larger(size, kernels + conv->parts * block_reals(&conv->data, 1));
    if (conv->directions >> MFM_CONV_WEIGHTS & 1)
        size = larger(size, conv->parts * (kernels + block_reals(&conv->weights, 1)));
    return (size_t)size;
}

static size_t pair_scratch(const void *state)
{
    const winograd *conv = state;
    return (size_t)(2 * kernel_reals(conv) + conv->parts * block_reals(&conv->forward, 2));
}

/* ---- tiles ---------------------------------------------------------------------------------- */

typedef struct range {
    const real *begin, *end;
} range;

typedef struct position {
    int64_t image, row, column; /* row, column: of tiles */
} position;

static position position_of(const direction *d, int64_t tile)
{
    const int64_t per_image = d->tile_rows * d->tile_columns, within = tile % per_image;
    return (position){tile / per_image, within / d->tile_columns, within % d->tile_columns};
}

static void next_tile(const direction *d, position *p)
{
    if (++p->column < d->tile_columns)
        return;
    p->column = 0;
    if (++p->row < d->tile_rows)
        return;
    p->row = 0;
    p->image++;
}

/* The tile whose first element is (row, column) of an image of this side, either perhaps negative;
 * *offset: where that lies. */
static mfm_winograd_tile tile_of(const side *s, int64_t image, int64_t row, int64_t column,
                                 int64_t *offset)
{
    *offset = ((image * s->h + row) * s->w + column) * s->c;
    return (mfm_winograd_tile){.row_step = s->w * s->c,
                               .column_step = s->c,
                               .row0 = row < 0 ? -row : 0,
                               .row1 = s->h - row,
                               .column0 = column < 0 ? -column : 0,
                               .column1 = s->w - column,
                               .lanes = LANES};
}

/* The rows of an image side that tiles [first, end) stand on. */
static range rows_of_tiles(const direction *d, const side *s, const real *images, int64_t first,
                           int64_t end)
{
    if (first >= end)
        return (range){images, images};
    const position a = position_of(d, first), b = position_of(d, end - 1);
    const int64_t row = a.image * s->h + at_most(a.row * d->form->out, s->h);
    const int64_t row_end = b.image * s->h + at_most((b.row + 1) * d->form->out, s->h);
    return (range){images + row * s->w * s->c, images + row_end * s->w * s->c};
}

/* v [points][c / LANES][rows][LANES], points `step` apart, = the transformed input of tiles [first,
 * first + rows) */
static void transform_input(const direction *d, const real *x, int64_t first, int64_t rows, real *v,
                            int64_t step)
{
    const int64_t c = d->from.c;
    position p = position_of(d, first);
    for (int64_t t = 0; t < rows; t++, next_tile(d, &p)) {
        int64_t offset;
        const mfm_winograd_tile tile = tile_of(&d->from, p.image, p.row * d->form->out - d->pad[0],
                                               p.column * d->form->out - d->pad[1], &offset);
        for (int64_t i = 0; i < c; i += LANES)
            d->form->input(x + offset + i, &tile, v + i * rows + t * LANES, step);
    }
}

/* y = the results of tiles [first, first + rows) from m [points][c / LANES][rows][LANES] */
static void transform_output(const direction *d, const real *m, int64_t first, int64_t rows,
                             real *y, bool add)
{
    const int64_t c = d->to.c, step = point_step(rows, d->to.room);
    position p = position_of(d, first);
    for (int64_t t = 0; t < rows; t++, next_tile(d, &p)) {
        int64_t offset;
        mfm_winograd_tile tile =
            tile_of(&d->to, p.image, p.row * d->form->out, p.column * d->form->out, &offset);
        for (int64_t i = 0; i < c; i += LANES) {
            tile.lanes = at_most(c - i, LANES);
            d->form->output(m + i * rows + t * LANES, step, &tile, y + offset + i, add);
        }
    }
}

/* n [36][c / LANES][rows][LANES] = the transformed gradient of tiles [first, first + rows) of the
 * result */
static void transform_gradient(const direction *d, const real *gy, int64_t first, int64_t rows,
                               real *n)
{
    const int64_t c = d->to.c, step = point_step(rows, d->to.room);
    position p = position_of(d, first);
    for (int64_t t = 0; t < rows; t++, next_tile(d, &p)) {
        int64_t offset;
        mfm_winograd_tile tile =
            tile_of(&d->to, p.image, p.row * d->form->out, p.column * d->form->out, &offset);
        for (int64_t i = 0; i < c; i += LANES) {
            tile.lanes = at_most(c - i, LANES);
            mfm_winograd_gradient(gy + offset + i, &tile, n + i * rows + t * LANES, step);
        }
    }
}

/* ---- forward and data ----------------------------------------------------------------------- */

/* Fetches the p-th of so many slices of a range of memory: the products leave the paths to memory
 * idle, and the rows of an image are too short for the processor to foresee. */
static void fetch_slice(range r, int64_t p, int64_t points)
{
    enum { LINE = 64 / sizeof(real) };
    const int64_t lines = (r.end - r.begin) / LINE;
    for (int64_t i = lines * p / points; i < lines * (p + 1) / points; i++)
        __builtin_prefetch(r.begin + i * LINE, 0, 2);
}

/* What the products of a block fetch meanwhile: the next block's input, this block's results. */
typedef struct fetches {
    int count;
    range ranges[3];
} fetches;

static fetches fetches_of(const direction *d, inputs in, const real *y, int64_t first, int64_t rows)
{
    const int64_t after = first + rows, then = at_most(after + d->block, d->tiles);
    fetches f = {.count = in.count + 1};
    for (int i = 0; i < in.count; i++)
        f.ranges[i] = rows_of_tiles(d, &d->from, in.x[i], after, then);
    f.ranges[in.count] = rows_of_tiles(d, &d->to, y, first, after);
    return f;
}

static void multiply_points(const direction *d, int64_t depth, int64_t rows, const real *v,
                            const real *u, real *m, const fetches *f)
{
    const int64_t width = d->to.room;
    for (int64_t point = 0; point < d->form->points; point++) {
        for (int i = 0; i < f->count; i++)
            fetch_slice(f->ranges[i], point, d->form->points);
        mfm_panel_multiply(&(mfm_panel_product){.rows = rows,
                                                .depth = depth,
                                                .width = width,
                                                .a = v + point * point_step(rows, depth),
                                                .b = u + point * depth * width,
                                                .c = m + point * point_step(rows, width),
                                                .a_step = rows * LANES,
                                                .c_step = rows * LANES});
    }
}

static void convolve_part(const winograd *conv, const direction *d, inputs in, const real *u,
                          real *y, bool add, int part, real *v)
{
    const int64_t depth = in.count * d->from.c;
    const int64_t blocks = (d->tiles + d->block - 1) / d->block;
    const int64_t begin = blocks * part / conv->parts, end = blocks * (part + 1) / conv->parts;
    real *m = v + d->form->points * point_step(d->block, depth);
    for (int64_t b = begin; b < end; b++) {
        const int64_t first = b * d->block, rows = at_most(d->block, d->tiles - first);
        const fetches f = fetches_of(d, in, y, first, rows);
        for (int i = 0; i < in.count; i++)
            transform_input(d, in.x[i], first, rows, v + i * rows * d->from.c,
                            point_step(rows, depth));
        multiply_points(d, depth, rows, v, u, m, &f);
        transform_output(d, m, first, rows, y, add);
    }
}

/* The blocks of a part are next to each other. */
static void convolve(const winograd *conv, const direction *d, inputs in, const real *u, real *y,
                     bool add, real *scratch)
{
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

/* s [36][o][c] += n^T v at every point */
static void add_products(const direction *d, int64_t rows, const real *n, const real *v, real *s,
                         bool add, range next, range next_gradient)
{
    const int64_t c = d->from.c, o = d->to.room;
    for (int64_t point = 0; point < POINTS; point++) {
        fetch_slice(next, point, POINTS);
        fetch_slice(next_gradient, point, POINTS);
        mfm_panel_add_outer(&(mfm_panel_outer){.rows = rows,
                                               .height = o,
                                               .width = c,
                                               .a = n + point * point_step(rows, o),
                                               .b = v + point * point_step(rows, c),
                                               .c = s + point * o * c,
                                               .a_step = rows * LANES,
                                               .b_step = rows * LANES,
                                               .add = add});
    }
}

static void sum_part(const winograd *conv, int part, const real *gy, const real *x, real *s,
                     real *scratch)
{
    const direction *d = &conv->weights;
    const int64_t blocks = (d->tiles + d->block - 1) / d->block;
    const int64_t begin = blocks * part / conv->parts, end = blocks * (part + 1) / conv->parts;
    real *v = scratch, *n = scratch + POINTS * point_step(d->block, d->from.c);
    if (begin == end)
        memset(s, 0, (size_t)kernel_reals(conv) * sizeof *s);
    for (int64_t b = begin; b < end; b++) {
        const int64_t first = b * d->block, rows = at_most(d->block, d->tiles - first);
        transform_input(d, x, first, rows, v, point_step(rows, d->from.c));
        transform_gradient(d, gy, first, rows, n);
        const int64_t after = first + rows, then = at_most(after + d->block, d->tiles);
        add_products(d, rows, n, v, s, b > begin, rows_of_tiles(d, &d->from, x, after, then),
                     rows_of_tiles(d, &d->to, gy, after, then));
    }
}

static void backward_weights(const void *state, const real *gy, const real *x, real *gw, bool add,
                             real *scratch)
{
    const winograd *conv = state;
    real *blocks = scratch + conv->parts * kernel_reals(conv);
#pragma omp parallel for schedule(static) num_threads(conv->parts)
    for (int part = 0; part < conv->parts; part++)
        sum_part(conv, part, gy, x, scratch + part * kernel_reals(conv),
                 blocks + part * block_reals(&conv->weights, 1));
    mfm_winograd_kernel_sums(kernels_of(conv), scratch, gw, add);
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
