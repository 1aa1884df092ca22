/*
 * The gradient of the weights of a convolution by 3 x 3 through the transforms of winograd.h, where
 * tiles are few and kernels many: the sums of a chunk at all points would go to memory and back for
 * each chunk. Here all tiles are transformed first; then for a block of kernels at a time, with
 * N [T, 16] the tiles of gy and V [T, width] those of x at a point, and for each chunk,
 *     S [16, width] = N^T V,   the rows of the chunk; transformed back; added along the tree,
 * all of it in a core's cache. Blocks are dealt out to the threads.
 *
 * Scratch: V and N at all points, then for each thread S and the sums of the levels of the tree.
 */
#include <omp.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/winograd/panel.h"
#include "core/engine/kernels/conv/winograd/winograd_tiles.h"
#include "core/engine/kernels/vec.h"

enum {
    POINTS = MFM_WINOGRAD_POINTS,
    LANES = MFM_VEC_LANES,
    TAPS = 9,
    WIDTH = 4 * LANES, /* channels of a block, of LANES results */
    LEVELS = 5,
    MOST_TILES = 8 /* that the transformed tiles take so many times the room of a sum, or less */
};

typedef struct chunked {
    mfm_winograd_direction d;
    int64_t o, c;
    int parts, chunks;
    int64_t begin[MFM_CHUNKS + 1]; /* the tiles of each chunk */
} chunked;

static int64_t tiles_along(int64_t length)
{
    return (length + MFM_WINOGRAD_OUT - 1) / MFM_WINOGRAD_OUT;
}

/* All tiles are written and read once more, 16 sums are not. */
static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction which)
{
    const int64_t tiles = mfm_conv_samples(s) * tiles_along(s->oh) * tiles_along(s->ow);
    return which == MFM_CONV_WEIGHTS && mfm_conv_winograd.fits(s, which) &&
           tiles * (s->c + s->o) <= MOST_TILES * s->c * s->o;
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    (void)directions;
    chunked *k = *state = mfm_alloc(ctx, 1, sizeof *k);
    if (!k)
        return MFM_ENOMEM;
    const mfm_share share = s->share.samples ? s->share : mfm_share_whole(s->n);
    *k = (chunked){.o = s->o, .c = s->c, .parts = omp_get_max_threads()};
    k->d = (mfm_winograd_direction){
        .form = &mfm_winograd_large,
        .from = {s->h, s->w, s->c, s->c},
        .to = {s->oh, s->ow, s->o, (s->o + LANES - 1) / LANES * LANES},
        .pad = {s->pad_begin[0], s->pad_begin[1]},
        .tile_rows = tiles_along(s->oh),
        .tile_columns = tiles_along(s->ow),
    };
    k->d.tiles = k->d.block = s->n * k->d.tile_rows * k->d.tile_columns;
    k->chunks = share.end - share.first;
    for (int i = 0; i <= k->chunks; i++)
        k->begin[i] = mfm_share_row(&share, k->d.tiles, i);
    return MFM_OK;
}

static void release(mfm_ctx *ctx, void *state)
{
    mfm_free(ctx, state);
}

static size_t input_reals(const chunked *k)
{
    return (size_t)(POINTS * mfm_winograd_step(k->d.tiles, k->c));
}

static size_t gradient_reals(const chunked *k)
{
    return (size_t)(POINTS * mfm_winograd_step(k->d.tiles, k->d.to.room));
}

enum { BLOCK_SUMS = POINTS * LANES * WIDTH, BLOCK_WEIGHTS = TAPS * LANES * WIDTH };
enum { OWN = BLOCK_SUMS + LEVELS * BLOCK_WEIGHTS };

static size_t scratch_size(const void *state)
{
    const chunked *k = state;
    return input_reals(k) + gradient_reals(k) + (size_t)k->parts * OWN;
}

static size_t nothing(const void *state)
{
    (void)state;
    return 0;
}

/* A part's share of the tiles. */
static void read_tiles(const chunked *k, int part, const real *gy, const real *x, real *v, real *n)
{
    const int64_t tiles = k->d.tiles, first = tiles * part / k->parts;
    const mfm_winograd_block b = {first, tiles * (part + 1) / k->parts - first, tiles};
    mfm_winograd_read_block(&k->d, x, b, v + first * LANES, mfm_winograd_step(tiles, k->c));
    mfm_winograd_gradient_block(&k->d, gy, b, n + first * LANES);
}

/* A block of kernels: LANES results from `row` on by `width` channels from `column` on. */
typedef struct block {
    int64_t row, column, width;
    const real *v, *n;
    real *s;
} block;

/* to [LANES, TAPS, width] = the gradient of one chunk */
static void sum_chunk(const chunked *k, const block *b, int chunk, real *to)
{
    const int64_t tiles = k->d.tiles, first = k->begin[chunk];
    const int64_t n_step = mfm_winograd_step(tiles, k->d.to.room);
    const int64_t v_step = mfm_winograd_step(tiles, k->c), s_step = LANES * b->width;
    for (int64_t point = 0; point < POINTS; point++) {
        const mfm_panel_outer outer = {.rows = k->begin[chunk + 1] - first,
                                       .height = LANES,
                                       .width = b->width,
                                       .a = b->n + point * n_step + b->row * tiles + first * LANES,
                                       .b = b->v + point * v_step + b->column * tiles +
                                            first * LANES,
                                       .c = b->s + point * s_step,
                                       .a_step = tiles * LANES,
                                       .b_step = tiles * LANES};
        mfm_panel_add_outer(&outer);
    }
    for (int64_t r = 0; r < LANES && b->row + r < k->o; r++)
        for (int64_t i = 0; i < b->width; i += LANES)
            mfm_winograd_kernel_gradient(b->s + r * b->width + i, s_step,
                                         to + r * TAPS * b->width + i, b->width, false);
}

/* The sum of chunks [first, end), some of which have tiles, in `to`; `rest` is room for the levels
 * below. */
static void sum_chunks(const chunked *k, const block *b, int first, int end, real *restrict to,
                       real *restrict rest)
{
    const int middle = (first + end) / 2;
    if (end - first == 1) {
        sum_chunk(k, b, first, to);
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
    real *v = scratch, *n = v + input_reals(k), *rest = n + gradient_reals(k);
    const int64_t columns = (k->c + WIDTH - 1) / WIDTH;
    const int64_t blocks = k->d.to.room / LANES * columns;
#pragma omp parallel num_threads(k->parts)
    {
        real *own = rest + (int64_t)omp_get_thread_num() * OWN;
#pragma omp for schedule(static)
        for (int part = 0; part < k->parts; part++)
            read_tiles(k, part, gy, x, v, n);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < blocks; i++) {
            const int64_t column = i % columns * WIDTH;
            const block b = {.row = i / columns * LANES,
                             .column = column,
                             .width = k->c - column < WIDTH ? k->c - column : WIDTH,
                             .v = v,
                             .n = n,
                             .s = own};
            real *sum = own + BLOCK_SUMS;
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
