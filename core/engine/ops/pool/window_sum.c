#include "core/engine/ops/pool/window_sum.h"

#include <string.h>

/* 1 / taps that count. */
static real share_of(const mfm_window *w, enum mfm_window_share share, int64_t result)
{
    int64_t count = 1;
    for (int axis = MFM_WINDOW_AXES; axis-- > 0 && share; result /= w->out[axis]) {
        const bool padding = share == MFM_SHARE_PADDED;
        const int64_t low = padding ? -w->pad_begin[axis] : 0;
        const int64_t high = w->in[axis] + (padding ? w->pad_end[axis] : 0);
        const mfm_taps taps = mfm_window_taps(w, axis, result % w->out[axis], low, high);
        count *= taps.end - taps.first;
    }
    return 1 / (real)count;
}

static void sum_one(const mfm_window *w, int64_t channels, const mfm_place *p, real share,
                    const real *image, real *restrict y)
{
    const mfm_taps *t = p->taps;
    memset(y, 0, (size_t)channels * sizeof *y);
    for (int64_t d = t[MFM_DEPTH].first; d < t[MFM_DEPTH].end; d++)
        for (int64_t i = t[MFM_ROWS].first; i < t[MFM_ROWS].end; i++)
            for (int64_t j = t[MFM_COLUMNS].first; j < t[MFM_COLUMNS].end; j++) {
                const real *restrict x = image + mfm_window_source(w, p, d, i, j) * channels;
                for (int64_t c = 0; c < channels; c++)
                    y[c] += x[c];
            }
    for (int64_t c = 0; c < channels; c++)
        y[c] *= share;
}

void mfm_window_sum(const mfm_window *w, const mfm_shape *in, enum mfm_window_share share,
                    const real *x, real *y)
{
    const mfm_window_images v = mfm_window_images_of(w, in);
    const int64_t columns = w->out[MFM_COLUMNS], rows = v.out / columns;
#pragma omp parallel for if (v.parallel)
    for (int64_t r = 0; r < v.images * rows; r++) {
        const real *image = x + r / rows * v.in * v.channels;
        for (int64_t i = 0; i < columns; i++) {
            const int64_t result = r % rows * columns + i;
            const mfm_place p = mfm_window_place(w, result);
            sum_one(w, v.channels, &p, share_of(w, share, result), image,
                    y + (r * columns + i) * v.channels);
        }
    }
}

static void spread_one(const mfm_window *w, int64_t channels, const mfm_place *p, real share,
                       const real *restrict g, real *image)
{
    const mfm_taps *t = p->taps;
    for (int64_t d = t[MFM_DEPTH].first; d < t[MFM_DEPTH].end; d++)
        for (int64_t i = t[MFM_ROWS].first; i < t[MFM_ROWS].end; i++)
            for (int64_t j = t[MFM_COLUMNS].first; j < t[MFM_COLUMNS].end; j++) {
                real *restrict gx = image + mfm_window_source(w, p, d, i, j) * channels;
                for (int64_t c = 0; c < channels; c++)
                    gx[c] += share * g[c];
            }
}

/* Windows may overlap: one thread does an image. */
void mfm_window_spread(const mfm_window *w, const mfm_shape *in, enum mfm_window_share share,
                       const real *g, real *gx, bool add)
{
    const mfm_window_images v = mfm_window_images_of(w, in);
    const int64_t size = v.in * v.channels;
#pragma omp parallel for if (v.parallel)
    for (int64_t n = 0; n < v.images; n++) {
        if (!add)
            memset(gx + n * size, 0, (size_t)size * sizeof *gx);
        for (int64_t i = 0; i < v.out && g; i++) {
            const mfm_place p = mfm_window_place(w, i);
            spread_one(w, v.channels, &p, share_of(w, share, i), g + (n * v.out + i) * v.channels,
                       gx + n * size);
        }
    }
}
