/*
 * Convolution by 1 x 1 in inference, a block of rows of pixels at a time, as a matrix product whose
 * results are finished tile by tile, while they are in a core's first cache:
 *     y [rows, o] = f(a [rows, c] w [o, c]^T + bias).
 * Without strides a lies in x. Packed: w^T in panels (gemm.h). Scratch: a of a block for each
 * thread.
 */
#include <omp.h>
#include <string.h>

#include "core/base/shape.h"
#include "core/engine/kernels/conv/conv_finish.h"
#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/gemm/gemm.h"
#include "core/engine/kernels/vec.h"

enum {
    FEW_CHANNELS = 256,
    FEW_RESULTS = 64,      /* of more than three times as many channels */
    BLOCK_REALS = 1 << 17, /* a and y of a block: half of a core's second cache */
    LEAST_ROWS = 24,       /* of the product, which reads all weights for them */
    MOST_ROWS = 384,
    PARALLEL_FROM = 1 << 17 /* multiplications */
};

typedef struct points {
    mfm_conv_shape shape;
    int parts;         /* threads */
    int64_t all, rows; /* pixels of all results, and of a block */
    size_t block;      /* reals of a for a block; 0: it lies in x */
} points;

/* Where this was measured to be faster than a library that dispatches, in wide vectors. */
static bool is_ahead(const mfm_conv_shape *s)
{
    const bool few_results = s->o <= FEW_RESULTS && s->c > 3 * s->o;
    const bool curved = s->finish == MFM_CONV_BIAS_SWISH && s->c <= FEW_CHANNELS;
    return (int)MFM_VEC_BYTES > (int)MFM_CONV_NARROW_BYTES && (few_results || curved);
}

static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    const bool bare =
        s->pad_begin[0] == 0 && s->pad_begin[1] == 0 && s->pad_end[0] == 0 && s->pad_end[1] == 0;
    return direction == MFM_CONV_FORWARD && s->finish != MFM_CONV_AS_IT_IS && !s->row_major &&
           s->kh == 1 && s->kw == 1 && s->groups == 1 && bare && is_ahead(s);
}

static bool strides(const mfm_conv_shape *s)
{
    return s->stride[0] > 1 || s->stride[1] > 1;
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    (void)directions;
    points *k = *state = mfm_alloc(ctx, 1, sizeof *k);
    if (!k)
        return MFM_ENOMEM;
    const int64_t all = s->n * s->oh * s->ow;
    const int64_t threads = all * s->c * s->o < PARALLEL_FROM ? 1 : omp_get_max_threads();
    const int64_t fit = BLOCK_REALS / (s->c + s->o);
    const int64_t most = fit < LEAST_ROWS ? LEAST_ROWS : mfm_smaller(fit, MOST_ROWS);
    const int64_t rounds = (all + most * threads - 1) / (most * threads);
    *k = (points){.shape = *s,
                  .parts = (int)threads,
                  .all = all,
                  .rows = (all + rounds * threads - 1) / (rounds * threads)};
    k->block = strides(s) ? mfm_conv_aligned((size_t)(k->rows * s->c)) : 0;
    return MFM_OK;
}

static void release(mfm_ctx *ctx, void *state)
{
    mfm_free(ctx, state);
}

static size_t scratch_size(const void *state)
{
    const points *k = state;
    return (size_t)k->parts * k->block;
}

static size_t packed_size(const void *state)
{
    const mfm_conv_shape *s = &((const points *)state)->shape;
    return mfm_gemm_panels_size(s->o, s->c);
}

static void pack(const void *state, const real *w, real *packed)
{
    const mfm_conv_shape *s = &((const points *)state)->shape;
    mfm_gemm_panels(&(mfm_gemm){.transpose_b = true, .n = s->o, .k = s->c, .b = w, .ldb = s->c},
                    packed);
}

/* The pixels that results [first, first + rows) lie over. */
static void gather(const mfm_conv_shape *s, const real *x, int64_t first, int64_t rows, real *to)
{
    for (int64_t r = first; r < first + rows; r++, to += s->c) {
        const int64_t row = r / s->ow, image = row / s->oh;
        const int64_t pixel =
            (image * s->h + row % s->oh * s->stride[0]) * s->w + r % s->ow * s->stride[1];
        memcpy(to, x + pixel * s->c, (size_t)s->c * sizeof *to);
    }
}

static void run_block(const points *k, const real *x, const real *packed, const real *bias, real *y,
                      int64_t first, real *block)
{
    const mfm_conv_shape *s = &k->shape;
    const int64_t rows = mfm_smaller(k->rows, k->all - first);
    if (k->block)
        gather(s, x, first, rows, block);
    mfm_gemm_run(&(mfm_gemm){.m = rows,
                             .n = s->o,
                             .k = s->c,
                             .alpha = 1,
                             .a = k->block ? block : x + first * s->c,
                             .lda = s->c,
                             .b = packed,
                             .panels = true,
                             .c = y + first * s->o,
                             .ldc = s->o,
                             .alone = true,
                             .bias = bias,
                             .finish = s->finish == MFM_CONV_BIAS ? NULL : mfm_conv_finish_each,
                             .finish_attr = &s->finish});
}

static void forward_finished(const void *state, const real *x, const real *packed, const real *bias,
                             real *y, real *scratch)
{
    const points *k = state;
#pragma omp parallel for schedule(static) num_threads(k->parts)
    for (int64_t first = 0; first < k->all; first += k->rows)
        run_block(k, x, packed, bias, y, first, scratch + (size_t)omp_get_thread_num() * k->block);
}

const mfm_conv_impl mfm_conv_points = {
    .name = "points",
    .fits = fits,
    .make = make,
    .release = release,
    .scratch = scratch_size,
    .packed = packed_size,
    .pack = pack,
    .forward_finished = forward_finished,
};
