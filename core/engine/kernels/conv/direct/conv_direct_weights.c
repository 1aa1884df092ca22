/*
 * The gradient of the weights in direct convolution (conv_direct.c), of the samples of a chunk, in
 * one thread.
 */
#include "core/engine/kernels/conv/direct/conv_direct.h"

/* sum = [sum +] what `rows` result rows contribute, gy and x being at the first of them; when they
 * are of several images, at the first row of an image. */
static void sum_rows(const mfm_direct *d, int64_t rows, const real *gy, const real *x, real *sum,
                     bool add)
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
                             .add = add};
    for (int64_t i = 0; i < s->kh; i++)
        d->results.tiles(&tiles, x + i * row, gy, sum + i * d->taps.length * d->results.padded);
}

/* Image by image. The vectors of the very last pixels may reach beyond gy: their rows are read from
 * copies. */
static void sum_images(const mfm_direct *d, const real *gy, const real *x, real *copy, real *sum)
{
    const mfm_conv_shape *s = &d->shape;
    const int64_t width = s->ow * s->o, step = s->stride[0] * d->width * s->c;
    real *row = copy + d->image;
    const int64_t copied = (mfm_direct_beyond(d) + width - 1) / width;
    mfm_direct_clear(copy, d->image);
    for (int64_t n = 0; n < s->n; n++) {
        const real *image = mfm_direct_image(d, x, n, copy);
        const int64_t left = (s->n - n) * s->oh - copied;
        const int64_t straight = left < 0 ? 0 : left < s->oh ? left : s->oh;
        if (straight)
            sum_rows(d, straight, gy + n * s->oh * width, image, sum, n > 0);
        for (int64_t r = straight; r < s->oh; r++) {
            mfm_direct_clear(row, d->row);
            mfm_direct_move(gy + (n * s->oh + r) * width, width, row, false);
            sum_rows(d, 1, row, image + r * step, sum, n > 0 || r > 0);
        }
    }
}

size_t mfm_direct_weights_sum(const void *state)
{
    const mfm_direct *d = state;
    return (size_t)(d->shape.kh * d->taps.length * d->results.padded);
}

void mfm_direct_weights(const void *state, const real *gy, const real *x, real *sum, bool add,
                        real *scratch)
{
    const mfm_direct *d = state;
    real *apart = scratch + d->shared + d->image + d->row;
    if (mfm_direct_at_once(d)) {
        if (mfm_direct_beyond(d)) {
            mfm_direct_clear(apart, d->apart);
            mfm_direct_move(gy, mfm_conv_result_count(&d->shape), apart, false);
            gy = apart;
        }
        sum_rows(d, d->shape.n * d->shape.oh, gy, x, sum, add);
        return;
    }
    sum_images(d, gy, x, scratch + d->shared, add ? apart : sum);
    if (add)
        mfm_direct_move(apart, (int64_t)mfm_direct_weights_sum(d), sum, true);
}

/* The sum [kh L, padded] to gw [o, kh L], for results [first, first + MFM_DIRECT_BLOCK). */
static void unpack_results(const mfm_direct *d, const real *sum, int64_t first, real *gw, bool add)
{
    const int64_t taps = d->shape.kh * d->taps.length;
    const int64_t last =
        first + MFM_DIRECT_BLOCK < d->shape.o ? first + MFM_DIRECT_BLOCK : d->shape.o;
    for (int64_t t = 0; t < taps; t++)
        for (int64_t k = first; k < last; k++)
            gw[k * taps + t] = (add ? gw[k * taps + t] : 0) + sum[t * d->results.padded + k];
}

void mfm_direct_finish(const void *state, real *sum, real *gw, bool add, real *scratch)
{
    const mfm_direct *d = state;
    (void)scratch;
#pragma omp parallel for if (mfm_direct_weights_sum(d) >= MFM_DIRECT_PARALLEL_FROM)
    for (int64_t k = 0; k < d->shape.o; k += MFM_DIRECT_BLOCK)
        unpack_results(d, sum, k, gw, add);
}
