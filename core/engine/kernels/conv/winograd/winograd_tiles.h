/*
 * The images of a convolution by winograd.h in tiles, and blocks of tiles to and from transformed
 * points. Tiles are counted over all images, along rows first.
 *
 * A block of tiles is [points][channels / LANES][tiles][LANES], LANES being MFM_VEC_LANES and a
 * point mfm_winograd_step() after the one before.
 */
#ifndef MFM_WINOGRAD_TILES_H
#define MFM_WINOGRAD_TILES_H

#include "core/engine/kernels/conv/winograd/winograd.h"

/* One side of a convolution: images that are read in tiles of 6, 5 or 4, or results in tiles of 4,
 * 3 or 2. */
typedef struct mfm_winograd_side {
    int64_t h, w, c;
    int64_t room; /* c in whole vectors; more than c on the side of the results only */
} mfm_winograd_side;

/* A convolution from one side to the other. Backward, the sides are swapped. */
typedef struct mfm_winograd_direction {
    const mfm_winograd_form *form;
    mfm_winograd_side from, to;
    int64_t pad[2];
    int64_t tile_rows, tile_columns, tiles; /* of `to`, all images */
    int64_t block;                          /* tiles that are transformed together */
    bool shared; /* one block is all, and the parts work on it together */
} mfm_winograd_direction;

/* Reals from a point to the next in a block of tiles: an odd number of vectors, because an even one
 * would map the 36 points of a tile onto few sets of the cache. */
int64_t mfm_winograd_step(int64_t tiles, int64_t channels);

/* Tiles [first, first + tiles), next to each other in a block of `room` tiles. */
typedef struct mfm_winograd_block {
    int64_t first, tiles, room;
} mfm_winograd_block;

/* v, points `step` apart, = the transformed input of these tiles of x */
void mfm_winograd_read_block(const mfm_winograd_direction *d, const real *x, mfm_winograd_block b,
                             real *v, int64_t step);
/* y = [y +] the results of these tiles from m, a block of the results' room */
void mfm_winograd_write_block(const mfm_winograd_direction *d, const real *m, mfm_winograd_block b,
                              real *y, bool add);
/* n, a block of `room` channels, = the transformed gradient of these tiles of gy, from a channel on
 */
void mfm_winograd_gradient_block(const mfm_winograd_direction *d, const real *gy,
                                 mfm_winograd_block b, int64_t channel, int64_t room, real *n);

/* Memory that a block of tiles stands on. */
typedef struct mfm_winograd_rows {
    const real *begin, *end;
} mfm_winograd_rows;
/* The rows of an image side that tiles [first, end) stand on. */
mfm_winograd_rows mfm_winograd_rows_of(const mfm_winograd_direction *d,
                                       const mfm_winograd_side *side, const real *images,
                                       int64_t first, int64_t end);

#endif
