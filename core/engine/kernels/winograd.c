#include "core/engine/kernels/winograd.h"

#include <string.h>

#include "core/engine/kernels/vec.h"

enum {
    IN = MFM_WINOGRAD_IN,
    OUT = MFM_WINOGRAD_OUT,
    SMALL_IN = MFM_WINOGRAD_SMALL_IN,
    SMALL_OUT = MFM_WINOGRAD_SMALL_OUT,
    TAPS = 3
};

/* The points +-P, +-Q, and what the matrices are made of. */
#define P  ((real)0.75)
#define Q  ((real)1.5)
#define PP (P * P)
#define QQ (Q * Q)
/* G divides by the products of the differences of a point to the others. */
#define BY_ZERO (1 / (PP * QQ))
#define BY_P    (1 / (2 * PP * (PP - QQ)))
#define BY_Q    (1 / (2 * QQ * (QQ - PP)))

/* B^T: six values to six points. */
static inline void input_1d(const mfm_vec d[IN], mfm_vec to[IN])
{
    const mfm_vec even_p = d[4] - QQ * d[2], odd_p = P * (d[3] - QQ * d[1]);
    const mfm_vec even_q = d[4] - PP * d[2], odd_q = Q * (d[3] - PP * d[1]);
    to[0] = PP * QQ * d[0] - (PP + QQ) * d[2] + d[4];
    to[1] = even_p + odd_p;
    to[2] = even_p - odd_p;
    to[3] = even_q + odd_q;
    to[4] = even_q - odd_q;
    to[5] = PP * QQ * d[1] - (PP + QQ) * d[3] + d[5];
}

/* A^T: six points to four results. */
static inline void output_1d(const mfm_vec m[IN], mfm_vec to[OUT])
{
    const mfm_vec sum_p = m[1] + m[2], difference_p = m[1] - m[2];
    const mfm_vec sum_q = m[3] + m[4], difference_q = m[3] - m[4];
    to[0] = m[0] + sum_p + sum_q;
    to[1] = P * difference_p + Q * difference_q;
    to[2] = PP * sum_p + QQ * sum_q;
    to[3] = P * PP * difference_p + Q * QQ * difference_q + m[5];
}

/* A: four results to six points. */
static inline void gradient_1d(const mfm_vec g[OUT], mfm_vec to[IN])
{
    const mfm_vec even_p = g[0] + PP * g[2], odd_p = P * g[1] + P * PP * g[3];
    const mfm_vec even_q = g[0] + QQ * g[2], odd_q = Q * g[1] + Q * QQ * g[3];
    to[0] = g[0];
    to[1] = even_p + odd_p;
    to[2] = even_p - odd_p;
    to[3] = even_q + odd_q;
    to[4] = even_q - odd_q;
    to[5] = g[3];
}

/* G: three taps to six points. */
static inline void kernel_1d(const mfm_vec g[TAPS], mfm_vec to[IN])
{
    const mfm_vec even_p = (g[0] + PP * g[2]) * BY_P, odd_p = P * BY_P * g[1];
    const mfm_vec even_q = (g[0] + QQ * g[2]) * BY_Q, odd_q = Q * BY_Q * g[1];
    to[0] = g[0] * BY_ZERO;
    to[1] = even_p + odd_p;
    to[2] = even_p - odd_p;
    to[3] = even_q + odd_q;
    to[4] = even_q - odd_q;
    to[5] = g[2];
}

/* G^T: six points to three taps. */
static inline void kernel_gradient_1d(const mfm_vec u[IN], mfm_vec to[TAPS])
{
    const mfm_vec sum_p = (u[1] + u[2]) * BY_P, sum_q = (u[3] + u[4]) * BY_Q;
    to[0] = u[0] * BY_ZERO + sum_p + sum_q;
    to[1] = P * BY_P * (u[1] - u[2]) + Q * BY_Q * (u[3] - u[4]);
    to[2] = PP * sum_p + QQ * sum_q + u[5];
}

/* The same for F(2, 3). */
static inline void small_input_1d(const mfm_vec d[SMALL_IN], mfm_vec to[SMALL_IN])
{
    to[0] = d[0] - d[2];
    to[1] = d[1] + d[2];
    to[2] = d[2] - d[1];
    to[3] = d[1] - d[3];
}

static inline void small_output_1d(const mfm_vec m[SMALL_IN], mfm_vec to[SMALL_OUT])
{
    to[0] = m[0] + m[1] + m[2];
    to[1] = m[1] - m[2] - m[3];
}

static inline void small_kernel_1d(const mfm_vec g[TAPS], mfm_vec to[SMALL_IN])
{
    const mfm_vec even = (real)0.5 * (g[0] + g[2]), odd = (real)0.5 * g[1];
    to[0] = g[0];
    to[1] = even + odd;
    to[2] = even - odd;
    to[3] = g[2];
}

/* One axis of a transform, of up to six vectors. */
typedef void one_axis(const mfm_vec *from, mfm_vec *to);

/* The transform along both axes, in place: `from` squared elements become `to` squared. Inlined
 * with constants for all but the tile. */
static inline __attribute__((always_inline)) void both_axes(one_axis *axis, int from, int to,
                                                            mfm_vec tile[IN][IN])
{
#pragma GCC unroll 6
    for (int j = 0; j < from; j++) {
        mfm_vec column[IN], result[IN];
#pragma GCC unroll 6
        for (int i = 0; i < from; i++)
            column[i] = tile[i][j];
        axis(column, result);
#pragma GCC unroll 6
        for (int i = 0; i < to; i++)
            tile[i][j] = result[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < to; i++) {
        mfm_vec result[IN];
        axis(tile[i], result);
#pragma GCC unroll 6
        for (int j = 0; j < to; j++)
            tile[i][j] = result[j];
    }
}

static inline __attribute__((always_inline)) void load_points(int size, const real *from,
                                                              int64_t point, mfm_vec tile[IN][IN])
{
#pragma GCC unroll 6
    for (int i = 0; i < size; i++)
#pragma GCC unroll 6
        for (int j = 0; j < size; j++)
            tile[i][j] = mfm_vec_load(from + (i * size + j) * point);
}

static inline __attribute__((always_inline)) void store_points(int size, mfm_vec tile[IN][IN],
                                                               real *to, int64_t point)
{
#pragma GCC unroll 6
    for (int i = 0; i < size; i++)
#pragma GCC unroll 6
        for (int j = 0; j < size; j++)
            mfm_vec_store(to + (i * size + j) * point, tile[i][j]);
}

static bool is_inside(const mfm_winograd_tile *t, int size)
{
    return t->row0 == 0 && t->column0 == 0 && t->row1 >= size && t->column1 >= size;
}

/* What lies outside the image is zero. */
static inline __attribute__((always_inline)) void load_image(int size, const real *corner,
                                                             const mfm_winograd_tile *t,
                                                             mfm_vec tile[IN][IN])
{
    if (is_inside(t, size)) {
#pragma GCC unroll 6
        for (int i = 0; i < size; i++)
#pragma GCC unroll 6
            for (int j = 0; j < size; j++)
                tile[i][j] = mfm_vec_load(corner + i * t->row_step + j * t->column_step);
        return;
    }
    static const mfm_vec outside = {0};
#pragma GCC unroll 6
    for (int i = 0; i < size; i++) {
        const bool row = i >= t->row0 && i < t->row1;
#pragma GCC unroll 6
        for (int j = 0; j < size; j++) {
            const bool inside = row & (j >= t->column0) & (j < t->column1);
            const real *at = corner + i * t->row_step + j * t->column_step;
            tile[i][j] = mfm_vec_load(inside ? at : (const real *)&outside);
        }
    }
}

/* The same where not all channels are there. */
static void load_narrow(int size, const real *corner, const mfm_winograd_tile *t,
                        mfm_vec tile[IN][IN])
{
    for (int i = 0; i < size; i++)
        for (int j = 0; j < size; j++) {
            tile[i][j] = mfm_vec_zero();
            if (i >= t->row0 && i < t->row1 && j >= t->column0 && j < t->column1)
                memcpy(&tile[i][j], corner + i * t->row_step + j * t->column_step,
                       (size_t)t->lanes * sizeof(real));
        }
}

void mfm_winograd_input(const real *corner, const mfm_winograd_tile *t, real *to, int64_t point)
{
    mfm_vec tile[IN][IN];
    load_image(IN, corner, t, tile);
    both_axes(input_1d, IN, IN, tile);
    store_points(IN, tile, to, point);
}

static void store_narrow(int64_t lanes, mfm_vec v, real *y, bool add)
{
    for (int64_t l = 0; l < lanes; l++)
        y[l] = add ? y[l] + v[l] : v[l];
}

static inline __attribute__((always_inline)) void store_image(int size, mfm_vec tile[IN][IN],
                                                              const mfm_winograd_tile *t,
                                                              real *corner, bool add)
{
    for (int64_t i = 0; i < size && i < t->row1; i++)
        for (int64_t j = 0; j < size && j < t->column1; j++) {
            real *y = corner + i * t->row_step + j * t->column_step;
            if (t->lanes < MFM_VEC_LANES)
                store_narrow(t->lanes, tile[i][j], y, add);
            else
                mfm_vec_store(y, add ? mfm_vec_load(y) + tile[i][j] : tile[i][j]);
        }
}

void mfm_winograd_output(const real *m, int64_t point, const mfm_winograd_tile *t, real *corner,
                         bool add)
{
    mfm_vec tile[IN][IN];
    load_points(IN, m, point, tile);
    both_axes(output_1d, IN, OUT, tile);
    store_image(OUT, tile, t, corner, add);
}

void mfm_winograd_small_input(const real *corner, const mfm_winograd_tile *t, real *to,
                              int64_t point)
{
    mfm_vec tile[IN][IN];
    load_image(SMALL_IN, corner, t, tile);
    both_axes(small_input_1d, SMALL_IN, SMALL_IN, tile);
    store_points(SMALL_IN, tile, to, point);
}

void mfm_winograd_small_output(const real *m, int64_t point, const mfm_winograd_tile *t,
                               real *corner, bool add)
{
    mfm_vec tile[IN][IN];
    load_points(SMALL_IN, m, point, tile);
    both_axes(small_output_1d, SMALL_IN, SMALL_OUT, tile);
    store_image(SMALL_OUT, tile, t, corner, add);
}

void mfm_winograd_small_kernel(const real *g, int64_t tap, real *to, int64_t point)
{
    mfm_vec tile[IN][IN];
    load_points(TAPS, g, tap, tile);
    both_axes(small_kernel_1d, TAPS, SMALL_IN, tile);
    store_points(SMALL_IN, tile, to, point);
}

void mfm_winograd_gradient(const real *corner, const mfm_winograd_tile *t, real *to, int64_t point)
{
    mfm_vec tile[IN][IN];
    if (t->lanes < MFM_VEC_LANES)
        load_narrow(OUT, corner, t, tile);
    else
        load_image(OUT, corner, t, tile);
    both_axes(gradient_1d, OUT, IN, tile);
    store_points(IN, tile, to, point);
}

void mfm_winograd_kernel(const real *g, int64_t tap, real *to, int64_t point)
{
    mfm_vec tile[IN][IN];
    load_points(TAPS, g, tap, tile);
    both_axes(kernel_1d, TAPS, IN, tile);
    store_points(IN, tile, to, point);
}

void mfm_winograd_kernel_gradient(const real *u, int64_t point, real *g, int64_t tap, bool add)
{
    mfm_vec tile[IN][IN];
    load_points(IN, u, point, tile);
    both_axes(kernel_gradient_1d, IN, TAPS, tile);
    for (int i = 0; i < TAPS; i++)
        for (int j = 0; j < TAPS; j++) {
            real *to = g + (i * TAPS + j) * tap;
            mfm_vec_store(to, add ? mfm_vec_load(to) + tile[i][j] : tile[i][j]);
        }
}

const mfm_winograd_form mfm_winograd_large = {MFM_WINOGRAD_OUT, MFM_WINOGRAD_POINTS,
                                              mfm_winograd_input, mfm_winograd_output,
                                              mfm_winograd_kernel};
const mfm_winograd_form mfm_winograd_small = {MFM_WINOGRAD_SMALL_OUT, MFM_WINOGRAD_SMALL_POINTS,
                                              mfm_winograd_small_input, mfm_winograd_small_output,
                                              mfm_winograd_small_kernel};
