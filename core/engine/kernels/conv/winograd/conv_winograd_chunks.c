/*
 * The gradient of the weights of a convolution by 3 x 3 through the transforms of winograd.h, where
 * tiles are few and kernels many: the sums of a chunk at all points would go to memory and back for
 * each chunk. Here all tiles of x are transformed first; then for a block of kernels at a time,
 * with V [T, width] those of x at a point, and for each chunk, N [T, 16]: the tiles of gy,
 * transformed;   S [16, width] = N^T V; transformed back; added along the tree, all of it in a
 * core's cache. Blocks are dealt out to the threads. That of gy is done anew for each block of
 * columns: a small part of the products, and N need not go to memory.
 *
 * Scratch: V at all points, then for each thread N, S and the sums of the levels of the tree.
 */
#include <omp.h>

#include "core/base/shape.h"
#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/winograd/conv_winograd.h"
#include "core/engine/kernels/conv/winograd/panel.h"
#include "core/engine/kernels/conv/winograd/winograd_tiles.h"
#include "core/engine/kernels/vec.h"

enum {
    MOST_POINTS = MFM_WINOGRAD_POINTS,
    LANES = MFM_VEC_LANES,
    TAPS = 9,
    WIDTH = 4 * LANES, /* channels of a block, of LANES results */
    LEVELS = 5,
    MOST_TILES = 8, /* that the transformed tiles take so many times the room of a sum, or less */
    MOST_INPUT = 1 << 16 /* reals of transformed tiles of x, at a point, that caches hold */
};

typedef struct chunked {
    mfm_winograd_direction d;
    int64_t o, c;
    int parts, chunks;
    int64_t begin[MFM_CHUNKS + 1]; /* the tiles of each chunk */
    int64_t longest;               /* tiles of a chunk */
} chunked;

static int64_t tiles_along(const mfm_winograd_form *form, int64_t length)
{
    return (length + form->out - 1) / form->out;
}

/* Of all images. */
static int64_t tiles_of(const mfm_winograd_form *form, const mfm_conv_shape *s)
{
    return mfm_conv_samples(s) * tiles_along(form, s->oh) * tiles_along(form, s->ow);
}

/* The one of fewer products: the middle one where results are 3, 5, 6 or 9 in a row. */
static const mfm_winograd_form *form_of(const mfm_conv_shape *s)
{
    const mfm_winograd_form *large = &mfm_winograd_large, *middle = &mfm_winograd_middle;
    return tiles_of(middle, s) * middle->points < tiles_of(large, s) * large->points ? middle
                                                                                     : large;
}

/* All tiles are written and read once more, 16 sums are not. The middle form is ahead as long as
 * its tiles do not go to memory; the large one's transforms back are too many for the few products
 * of what direct convolution takes. */
static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction which)
{
    const mfm_winograd_form *form = form_of(s);
    const int64_t tiles = tiles_of(form, s);
    if (which != MFM_CONV_WEIGHTS || !mfm_winograd_fits(form, s, which))
        return false;
    const bool few = tiles * (s->c + s->o) <= MOST_TILES * s->c * s->o;
    return form == &mfm_winograd_middle ? few || tiles * s->c <= MOST_INPUT
                                        : few && !mfm_conv_direct.fits(s, which);
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    (void)directions;
    chunked *k = *state = mfm_alloc(ctx, 1, sizeof *k);
    if (!k)
        return MFM_ENOMEM;
    const mfm_winograd_form *form = form_of(s);
    const mfm_share share = s->share.samples ? s->share : mfm_share_whole(s->n);
    *k = (chunked){.o = s->o, .c = s->c, .parts = omp_get_max_threads()};
    k->d = (mfm_winograd_direction){
        .form = form,
        .from = {s->h, s->w, s->c, s->c},
        .to = {s->oh, s->ow, s->o, (s->o + LANES - 1) / LANES * LANES},
        .pad = {s->pad_begin[0], s->pad_begin[1]},
        .tile_rows = tiles_along(form, s->oh),
        .tile_columns = tiles_along(form, s->ow),
    };
    k->d.tiles = k->d.block = s->n * k->d.tile_rows * k->d.tile_columns;
    k->chunks = share.end - share.first;
    for (int i = 0; i <= k->chunks; i++) {
        k->begin[i] = mfm_share_row(&share, k->d.tiles, i);
        k->longest = mfm_larger(k->longest, i > 0 ? k->begin[i] - k->begin[i - 1] : 0);
    }
    return MFM_OK;
}

static void release(mfm_ctx *ctx, void *state)
{
    mfm_free(ctx, state);
}

static int64_t input_reals(const chunked *k)
{
    return k->d.form->points * mfm_winograd_step(k->d.tiles, k->c);
}

static int64_t gradient_reals(const chunked *k)
{
    return k->d.form->points * mfm_winograd_step(k->longest, LANES);
}

enum {
    BLOCK_SUMS = MOST_POINTS * (WIDTH + 1) * LANES, /* by mfm_winograd_step */
    BLOCK_WEIGHTS = TAPS * LANES * WIDTH
};

/* Of a thread. */
static int64_t own_reals(const chunked *k)
{
    return gradient_reals(k) + BLOCK_SUMS + LEVELS * BLOCK_WEIGHTS;
}

static size_t scratch_size(const void *state)
{
    const chunked *k = state;
    return (size_t)(input_reals(k) + k->parts * own_reals(k));
}

static size_t nothing(const void *state)
{
    (void)state;
    return 0;
}

/* A part's share of the tiles. */
static void read_tiles(const chunked *k, int part, const real *x, real *v)
{
    const int64_t tiles = k->d.tiles, first = tiles * part / k->parts;
    const mfm_winograd_block b = {first, tiles * (part + 1) / k->parts - first, tiles};
    mfm_winograd_read_block(&k->d, x, b, v + first * LANES, mfm_winograd_step(tiles, k->c));
}

/* A block of kernels: LANES results from `row` on by `width` channels from `column` on. */
typedef struct block {
    int64_t row, column, width;
    const real *gy, *v;
    real *n, *s;
} block;

/* to [LANES, TAPS, width] = [to +] the gradient of one chunk */
static void sum_chunk(const chunked *k, const block *b, int chunk, real *to, bool add)
{
    const int64_t tiles = k->d.tiles, first = k->begin[chunk], rows = k->begin[chunk + 1] - first;
    const int64_t n_step = mfm_winograd_step(rows, LANES);
    const int64_t v_step = mfm_winograd_step(tiles, k->c);
    const int64_t s_step = mfm_winograd_step(LANES, b->width);
    mfm_winograd_gradient_block(&k->d, b->gy, (mfm_winograd_block){first, rows, rows}, b->row,
                                LANES, b->n);
    for (int64_t point = 0; point < k->d.form->points; point++) {
        const mfm_panel_outer outer = {.rows = rows,
                                       .height = LANES,
                                       .width = b->width,
                                       .a = b->n + point * n_step,
                                       .b = b->v + point * v_step + b->column * tiles +
                                            first * LANES,
                                       .c = b->s + point * s_step,
                                       .a_step = rows * LANES,
                                       .b_step = tiles * LANES};
        mfm_panel_add_outer(&outer);
    }
    for (int64_t r = 0; r < LANES && b->row + r < k->o; r++)
        for (int64_t i = 0; i < b->width; i += LANES)
            k->d.form->kernel_gradient(b->s + r * b->width + i, s_step,
                                       to + r * TAPS * b->width + i, b->width, add);
}

/* The sum of chunks [first, end), some of which have tiles, in `to`; `rest` is room for the levels
 * below. */
static void sum_chunks(const chunked *k, const block *b, int first, int end, real *restrict to,
                       real *restrict rest)
{
    const int middle = (first + end) / 2;
    if (end - first == 1) {
        sum_chunk(k, b, first, to, false);
        return;
    }
    const bool left = k->begin[first] < k->begin[middle];
    const bool right = k->begin[middle] < k->begin[end];
    if (left)
        sum_chunks(k, b, first, middle, to, rest);
    if (right && !left)
        sum_chunks(k, b, middle, end, to, rest);
    if (!left || !right)
        return;
    if (end - middle == 1) { /* what is added is a sum of its own */
        sum_chunk(k, b, middle, to, true);
        return;
    }
    sum_chunks(k, b, middle, end, rest, rest + BLOCK_WEIGHTS);
    const int64_t rows = k->o - b->row < LANES ? k->o - b->row : LANES;
    for (int64_t i = 0; i < rows * TAPS * b->width; i++)
        to[i] += rest[i];
}

static void put_block(const chunked *k, const block *b, const real *sum, real *gw, bool add)
{
    for (int64_t r = 0; r < LANES && b->row + r < k->o; r++)
        for (int64_t t = 0; t < TAPS; t++) {
            real *restrict to = gw + ((b->row + r) * TAPS + t) * k->c + b->column;
            const real *restrict from = sum + (r * TAPS + t) * b->width;
            for (int64_t i = 0; i < b->width; i++)
                to[i] = (add ? to[i] : 0) + from[i];
        }
}

static void weights_at_once(const void *state, const real *gy, const real *x, real *gw, bool add,
                            real *scratch)
{
    const chunked *k = state;
    real *v = scratch, *rest = v + input_reals(k);
    const int64_t columns = (k->c + WIDTH - 1) / WIDTH;
    const int64_t blocks = k->d.to.room / LANES * columns;
#pragma omp parallel num_threads(k->parts)
    {
        real *own = rest + (int64_t)omp_get_thread_num() * own_reals(k);
#pragma omp for schedule(static)
        for (int part = 0; part < k->parts; part++)
            read_tiles(k, part, x, v);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < blocks; i++) {
            const int64_t column = i % columns * WIDTH;
            const block b = {.row = i / columns * LANES,
                             .column = column,
                             .width = k->c - column < WIDTH ? k->c - column : WIDTH,
                             .gy = gy,
                             .v = v,
                             .n = own,
                             .s = own + gradient_reals(k)};
            real *sum = b.s + BLOCK_SUMS;
            sum_chunks(k, &b, 0, k->chunks, sum, sum + BLOCK_WEIGHTS);
            put_block(k, &b, sum, gw, add);
        }
    }
}

const mfm_conv_impl mfm_conv_winograd_chunks = {
    .name = "Winograd of few tiles",
    .fits = fits,
    .make = make,
    .release = release,
    .scratch = scratch_size,
    .packed = nothing,
    .weights_at_once = weights_at_once,
};
