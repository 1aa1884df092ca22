/* What the parts of direct convolution share: conv_direct.c, where it is told what it is, and
 * conv_direct_weights.c. */
#ifndef MFM_CONV_DIRECT_H
#define MFM_CONV_DIRECT_H

#include <string.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/direct/conv_tiles.h"

enum {
    MFM_DIRECT_BLOCK = 16, /* results that are transposed together */
    MFM_DIRECT_PARALLEL_FROM = 1 << 15,
    MFM_DIRECT_MANY_PIXELS = 64 /* enough for sums in registers */
};

/* `length` numbers in vectors, padded to `padded`. */
typedef struct mfm_direct_lanes {
    mfm_tiles_fn *tiles;
    int64_t length, padded, vectors;
} mfm_direct_lanes;

typedef struct mfm_direct {
    mfm_conv_shape shape;
    mfm_direct_lanes results, taps; /* o; L */
    int64_t height, width;          /* of the padded image */
    bool pads;
    int slices;
    int64_t windows;                    /* reals of a row of gx's windows, zeros around each */
    size_t packed;                      /* reals of the weights for forward */
    size_t shared, image, row, apart;   /* reals of the parts of scratch */
    ptrdiff_t *at[MFM_CONV_DIRECTIONS]; /* where the points of a tile go */
} mfm_direct;

/* Small images that need no copies are taken all at once, image after image: that reads and writes
 * the sums once only. */
static inline bool mfm_direct_at_once(const mfm_direct *d)
{
    return !d->pads && d->shape.oh * d->shape.ow <= MFM_DIRECT_MANY_PIXELS;
}

/* Reals behind the last pixel that its vectors reach into. */
static inline int64_t mfm_direct_beyond(const mfm_direct *d)
{
    return d->results.padded - d->shape.o;
}

static inline void mfm_direct_clear(real *to, size_t count)
{
    memset(to, 0, count * sizeof *to);
}

static inline void mfm_direct_move(const real *restrict from, int64_t count, real *restrict to,
                                   bool add)
{
    if (!add)
        memcpy(to, from, (size_t)count * sizeof *to);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] += from[i];
}

/* Image n with its padding; `copy` is zero around it. */
const real *mfm_direct_image(const mfm_direct *d, const real *x, int64_t n, real *copy);

/* The gradient of the weights, as conv_impl.h has it. */
size_t mfm_direct_weights_sum(const void *state);
void mfm_direct_weights(const void *state, const real *gy, const real *x, real *sum, bool add,
                        real *scratch);
void mfm_direct_finish(const void *state, real *sum, real *gw, bool add, real *scratch);

#endif
