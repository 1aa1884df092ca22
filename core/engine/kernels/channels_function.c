#include "core/engine/kernels/channels_function.h"

#include <string.h>

/* Elements that are worked on at a time; a row of coefficients has at least half as many. */
enum { PIECE = 512 };

static int64_t width_of(int64_t channels)
{
    return channels < PIECE ? PIECE / channels * channels : channels;
}

size_t mfm_channels_function_size(int64_t channels)
{
    return (size_t)(MFM_CHANNELS_ROWS * width_of(channels));
}

void mfm_channels_function_place(mfm_channels_function *f, int64_t channels, real *at)
{
    f->channels = channels;
    f->width = width_of(channels);
    for (int i = 0; i < MFM_CHANNELS_ROWS; i++)
        f->row[i] = at + i * f->width;
}

void mfm_channels_function_set(mfm_channels_function *f, int row, const real *by_channel)
{
    for (int64_t i = 0; i < f->width; i += f->channels)
        memcpy(f->row[row] + i, by_channel, (size_t)f->channels * sizeof *by_channel);
}

/* n elements from `at` on, whose coefficients lie one behind the other from `column` on. */
typedef struct piece {
    int64_t at, n, column;
} piece;

/* The piece of a block of n elements from `at` on, a row's first, that begins with its element
 * `done`. */
static piece piece_at(const mfm_channels_function *f, int64_t at, int64_t done, int64_t n)
{
    piece p = {.at = at + done, .n = n - done, .column = done % f->width};
    p.n = p.n < f->width - p.column ? p.n : f->width - p.column;
    p.n = p.n < PIECE ? p.n : PIECE;
    return p;
}

static void find_line(const mfm_channels_function *f, piece p, real *restrict u)
{
    const real *shift = f->row[MFM_CHANNELS_SHIFT] + p.column, *x = f->x + p.at;
    const real *scale = f->row[MFM_CHANNELS_SCALE] + p.column;
#pragma omp simd
    for (int64_t i = 0; i < p.n; i++)
        u[i] = shift[i] + scale[i] * x[i];
}

/* to = u' */
static void find_tangent(const mfm_channels_function *f, piece p, real *restrict to)
{
    const real *line = f->row[MFM_CHANNELS_LINE] + p.column, *x = f->x + p.at;
    const real *of_x = f->row[MFM_CHANNELS_OF_X] + p.column;
    const real *of_dx = f->row[MFM_CHANNELS_OF_DX] + p.column;
#pragma omp simd
    for (int64_t i = 0; i < p.n; i++)
        to[i] = line[i] + of_x[i] * x[i];
    if (!f->dx)
        return;
    const real *dx = f->dx + p.at;
#pragma omp simd
    for (int64_t i = 0; i < p.n; i++)
        to[i] += of_dx[i] * dx[i];
}

/* f'(u), and f''(u) unless curvature is NULL. */
static void find_slopes(const mfm_channels_function *f, int64_t n, const real *u, real *slope,
                        real *curvature)
{
    real y[PIECE];
    if (f->by_output)
        f->value(f->attr, (size_t)n, u, y);
    f->slopes(f->attr, (size_t)n, u, f->by_output ? y : NULL, slope, curvature);
}

void mfm_channels_make_adjoint(const void *self, int64_t at, int64_t n, real *to)
{
    const mfm_channels_function *f = self;
    real u[PIECE], slope[PIECE];
    for (int64_t done = 0; done < n;) {
        const piece p = piece_at(f, at, done, n);
        const real *g = f->g + p.at;
        real *restrict result = to + done;
        find_line(f, p, u);
        find_slopes(f, p.n, u, slope, NULL);
#pragma omp simd
        for (int64_t i = 0; i < p.n; i++)
            result[i] = slope[i] * g[i];
        done += p.n;
    }
}

void mfm_channels_make_adjoint_tangent(const void *self, int64_t at, int64_t n, real *to)
{
    const mfm_channels_function *f = self;
    real u[PIECE], tangent[PIECE], slope[PIECE], curvature[PIECE];
    for (int64_t done = 0; done < n;) {
        const piece p = piece_at(f, at, done, n);
        const real *g = f->g && !f->linear ? f->g + p.at : NULL, *dg = f->dg ? f->dg + p.at : NULL;
        real *restrict result = to + done;
        find_line(f, p, u);
        find_slopes(f, p.n, u, slope, g ? curvature : NULL);
        for (int64_t i = 0; i < p.n; i++)
            result[i] = dg ? slope[i] * dg[i] : 0;
        if (g) {
            find_tangent(f, p, tangent);
            for (int64_t i = 0; i < p.n; i++)
                result[i] += curvature[i] * tangent[i] * g[i];
        }
        done += p.n;
    }
}

void mfm_channels_finish_value(const void *self, int64_t at, int64_t n, real *to)
{
    const mfm_channels_function *f = self;
    (void)at;
    f->value(f->attr, (size_t)n, to, to);
}

void mfm_channels_finish_tangent(const void *self, int64_t at, int64_t n, real *to)
{
    const mfm_channels_function *f = self;
    real u[PIECE], slope[PIECE];
    for (int64_t done = 0; done < n;) {
        const piece p = piece_at(f, at, done, n);
        real *restrict result = to + done;
        find_line(f, p, u);
        find_slopes(f, p.n, u, slope, NULL);
#pragma omp simd
        for (int64_t i = 0; i < p.n; i++)
            result[i] *= slope[i];
        done += p.n;
    }
}
