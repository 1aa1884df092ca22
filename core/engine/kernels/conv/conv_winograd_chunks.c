/*
 * The gradient of the weights of a convolution by 3 x 3 through the transforms of winograd.h, for
 * chunks of few tiles: to transform back the sums of each takes longer than to make them. Here all
 * tiles are transformed first; then at each point, with N [T, O] the tiles of gy and V [T, C] those
 * of x, S [O, C] = N^T V,   the rows of a chunk summed apart, chunks added along the tree in
 * registers; and S is transformed back once. Points are dealt out to the threads.
 *
 * Scratch: V, N and S at all points.
 */
#include <omp.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/panel.h"
#include "core/engine/kernels/conv/winograd_kernels.h"
#include "core/engine/kernels/conv/winograd_tiles.h"
#include "core/engine/kernels/vec.h"

enum {
    POINTS = MFM_WINOGRAD_POINTS,
    LANES = MFM_VEC_LANES,
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

static size_t scratch_size(const void *state)
{
    const chunked *k = state;
    return input_reals(k) + gradient_reals(k) + (size_t)(POINTS * k->d.to.room * k->c);
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

static void sum_point(const chunked *k, int64_t point, const real *v, const real *n, real *s)
{
    const int64_t tiles = k->d.tiles, room = k->d.to.room;
    const mfm_panel_outer outer = {.rows = tiles,
                                   .height = room,
                                   .width = k->c,
                                   .a = n + point * mfm_winograd_step(tiles, room),
                                   .b = v + point * mfm_winograd_step(tiles, k->c),
                                   .c = s + point * room * k->c,
                                   .a_step = tiles * LANES,
                                   .b_step = tiles * LANES};
    mfm_panel_sum_chunks(&outer, k->chunks, k->begin);
}

static void weights_at_once(const void *state, const real *gy, const real *x, real *gw, bool add,
                            real *scratch)
{
    const chunked *k = state;
    real *v = scratch, *n = v + input_reals(k), *s = n + gradient_reals(k);
#pragma omp parallel num_threads(k->parts)
    {
#pragma omp for schedule(static)
        for (int part = 0; part < k->parts; part++)
            read_tiles(k, part, gy, x, v, n);
#pragma omp for schedule(dynamic, 1)
        for (int64_t point = 0; point < POINTS; point++)
            sum_point(k, point, v, n, s);
    }
    const mfm_kernels kernels = {k->d.form, k->o, k->c, k->d.to.room, k->parts};
    mfm_winograd_kernel_sums(kernels, s, gw, add);
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
