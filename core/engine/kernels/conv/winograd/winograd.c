#include "core/engine/kernels/conv/winograd/winograd.h"

#include <string.h>

#include "core/engine/kernels/vec.h"

enum {
    IN = MFM_WINOGRAD_IN,
    OUT = MFM_WINOGRAD_OUT,
    MIDDLE_IN = MFM_WINOGRAD_MIDDLE_IN,
    MIDDLE_OUT = MFM_WINOGRAD_MIDDLE_OUT,
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

/* The same for F(3, 3), on the points +-R, +-S and infinity. */
#define R    ((real)0.375)
#define S    ((real)1.25)
#define RR   (R * R)
#define SS   (S * S)
#define BY_R (1 / (2 * R * (RR - SS)))
#define BY_S (1 / (2 * S * (SS - RR)))

static inline void middle_input_1d(const mfm_vec d[MIDDLE_IN], mfm_vec to[MIDDLE_IN])
{
    const mfm_vec odd_r = d[3] - SS * d[1], even_r = R * (d[2] - SS * d[0]);
    const mfm_vec odd_s = d[3] - RR * d[1], even_s = S * (d[2] - RR * d[0]);
    to[0] = odd_r + even_r;
    to[1] = odd_r - even_r;
    to[2] = odd_s + even_s;
    to[3] = odd_s - even_s;
    to[4] = RR * SS * d[0] - (RR + SS) * d[2] + d[4];
}

static inline void middle_gradient_1d(const mfm_vec g[MIDDLE_OUT], mfm_vec to[MIDDLE_IN])
{
    const mfm_vec even_r = g[0] + RR * g[2], odd_r = R * g[1];
    const mfm_vec even_s = g[0] + SS * g[2], odd_s = S * g[1];
    to[0] = even_r + odd_r;
    to[1] = even_r - odd_r;
    to[2] = even_s + odd_s;
    to[3] = even_s - odd_s;
    to[4] = g[2];
}

static inline void middle_kernel_gradient_1d(const mfm_vec u[MIDDLE_IN], mfm_vec to[TAPS])
{
    const mfm_vec difference_r = (u[0] - u[1]) * BY_R, difference_s = (u[2] - u[3]) * BY_S;
    to[0] = difference_r + difference_s;
    to[1] = R * BY_R * (u[0] + u[1]) + S * BY_S * (u[2] + u[3]);
    to[2] = RR * difference_r + SS * difference_s + u[4];
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

/* One end of a transform: points, or a part of an image. */
typedef struct end {
    const real *from; /* the element (0, 0), or where it would lie */
    real *to;
    int64_t row_step, column_step;
    const mfm_winograd_tile *tile; /* NULL: points */
    bool add;
} end;

typedef mfm_vec read_fn(const end *e, const real *const *rows, const mfm_vec_mask *inside, int i,
                        int j);
typedef void write_fn(const end *e, int i, int j, mfm_vec v);

#define INLINE static inline __attribute__((always_inline))

/* ---- reading -------------------------------------------------------------------------------- */

INLINE mfm_vec read_all(const end *e, const real *const *rows, const mfm_vec_mask *inside, int i,
                        int j)
{
    (void)inside;
    return mfm_vec_load(rows[i] + j * e->column_step);
}

/* What lies outside the image is zero; rows outside are read somewhere inside. */
INLINE mfm_vec read_inside(const end *e, const real *const *rows, const mfm_vec_mask *inside, int i,
                           int j)
{
    if (j < e->tile->column0 || j >= e->tile->column1)
        return mfm_vec_zero();
    return mfm_vec_where(inside[i], mfm_vec_load(rows[i] + j * e->column_step));
}

/* The same where not all channels are there. */
INLINE mfm_vec read_narrow(const end *e, const real *const *rows, const mfm_vec_mask *inside, int i,
                           int j)
{
    mfm_vec v = mfm_vec_zero();
    if (j < e->tile->column0 || j >= e->tile->column1)
        return v;
    memcpy(&v, rows[i] + j * e->column_step, (size_t)e->tile->lanes * sizeof(real));
    return mfm_vec_where(inside[i], v);
}

/* ---- writing -------------------------------------------------------------------------------- */

INLINE void write_all(const end *e, int i, int j, mfm_vec v)
{
    real *to = e->to + i * e->row_step + j * e->column_step;
    mfm_vec_store(to, e->add ? mfm_vec_load(to) + v : v);
}

INLINE void write_inside(const end *e, int i, int j, mfm_vec v)
{
    if (i < e->tile->row1 && j < e->tile->column1)
        write_all(e, i, j, v);
}

INLINE void write_narrow(const end *e, int i, int j, mfm_vec v)
{
    if (i >= e->tile->row1 || j >= e->tile->column1)
        return;
    real *to = e->to + i * e->row_step + j * e->column_step;
    for (int64_t l = 0; l < e->tile->lanes; l++)
        to[l] = e->add ? to[l] + v[l] : v[l];
}

/* ---- both axes ------------------------------------------------------------------------------ */

/* Column j of the source, transformed. */
INLINE void transform_column(one_axis *axis, int from, int to, read_fn *read, const end *source,
                             const real *const *rows, const mfm_vec_mask *inside, int j,
                             mfm_vec half[IN][IN])
{
    mfm_vec column[IN], result[IN];
#pragma GCC unroll 6
    for (int i = 0; i < from; i++)
        column[i] = read(source, rows, inside, i, j);
    axis(column, result);
#pragma GCC unroll 6
    for (int i = 0; i < to; i++)
        half[i][j] = result[i];
}

INLINE void transform_row(one_axis *axis, int to, mfm_vec half[IN][IN], write_fn *write,
                          const end *target, int i)
{
    mfm_vec result[IN];
    axis(half[i], result);
#pragma GCC unroll 6
    for (int j = 0; j < to; j++)
        write(target, i, j, result[j]);
}

/* `from` squared elements become `to` squared. Inlined with constants for all but the ends. What
 * lies between the axes, from x to vectors, fits into the registers for small tiles, whose loops
 * unroll; for large ones it is memory, and the vectors of one row or column are in registers as
 * long as no two of them are joined. */
INLINE void both_axes(one_axis *axis, int from, int to, read_fn *read, const end *source,
                      write_fn *write, const end *target)
{
    const real *rows[IN];
    mfm_vec_mask inside[IN];
#pragma GCC unroll 6
    for (int i = 0; i < from; i++) {
        const mfm_winograd_tile *t = source->tile;
        const bool is_row = !t || (i >= t->row0 && i < t->row1);
        rows[i] = source->from + (is_row ? i : t->row0) * source->row_step;
        if (read != read_all)
            inside[i] = is_row ? ~(mfm_vec_mask){0} : (mfm_vec_mask){0};
    }
    mfm_vec half[IN][IN];
    if (from * to <= SMALL_IN * SMALL_IN) {
#pragma GCC unroll 5
        for (int j = 0; j < from; j++)
            transform_column(axis, from, to, read, source, rows, inside, j, half);
#pragma GCC unroll 5
        for (int i = 0; i < to; i++)
            transform_row(axis, to, half, write, target, i);
        return;
    }
#pragma GCC unroll 1
    for (int j = 0; j < from; j++)
        transform_column(axis, from, to, read, source, rows, inside, j, half);
#pragma GCC unroll 1
    for (int i = 0; i < to; i++)
        transform_row(axis, to, half, write, target, i);
}

static end points_from(int size, const real *from, int64_t step)
{
    return (end){.from = from, .row_step = size * step, .column_step = step};
}

static end points_to(int size, real *to, int64_t step)
{
    return (end){.to = to, .row_step = size * step, .column_step = step};
}

/* From a part of an image to points. */
INLINE void from_image(one_axis *axis, int from, int to, const real *corner,
                       const mfm_winograd_tile *t, real *points, int64_t step)
{
    const end source = {
        .from = corner, .row_step = t->row_step, .column_step = t->column_step, .tile = t};
    const end target = points_to(to, points, step);
    if (t->lanes < MFM_VEC_LANES)
        both_axes(axis, from, to, read_narrow, &source, write_all, &target);
    else if (t->row0 == 0 && t->column0 == 0 && t->row1 >= from && t->column1 >= from)
        both_axes(axis, from, to, read_all, &source, write_all, &target);
    else
        both_axes(axis, from, to, read_inside, &source, write_all, &target);
}

/* From points to a part of an image. */
INLINE void to_image(one_axis *axis, int from, int to, const real *points, int64_t step,
                     const mfm_winograd_tile *t, real *corner, bool add)
{
    const end source = points_from(from, points, step);
    const end target = {.to = corner,
                        .row_step = t->row_step,
                        .column_step = t->column_step,
                        .tile = t,
                        .add = add};
    if (t->lanes < MFM_VEC_LANES)
        both_axes(axis, from, to, read_all, &source, write_narrow, &target);
    else if (t->row1 >= to && t->column1 >= to)
        both_axes(axis, from, to, read_all, &source, write_all, &target);
    else
        both_axes(axis, from, to, read_all, &source, write_inside, &target);
}

INLINE void between_points(one_axis *axis, int from, int to, const real *points, int64_t step,
                           real *results, int64_t result_step, bool add)
{
    const end source = points_from(from, points, step);
    end target = points_to(to, results, result_step);
    target.add = add;
    both_axes(axis, from, to, read_all, &source, write_all, &target);
}

/* ---- the transforms ------------------------------------------------------------------------- */

static void input(const real *corner, const mfm_winograd_tile *t, real *to, int64_t point)
{
    from_image(input_1d, IN, IN, corner, t, to, point);
}

static void output(const real *m, int64_t point, const mfm_winograd_tile *t, real *corner, bool add)
{
    to_image(output_1d, IN, OUT, m, point, t, corner, add);
}

static void middle_input(const real *corner, const mfm_winograd_tile *t, real *to, int64_t point)
{
    from_image(middle_input_1d, MIDDLE_IN, MIDDLE_IN, corner, t, to, point);
}

static void middle_gradient(const real *corner, const mfm_winograd_tile *t, real *to, int64_t point)
{
    from_image(middle_gradient_1d, MIDDLE_OUT, MIDDLE_IN, corner, t, to, point);
}

static void middle_kernel_gradient(const real *u, int64_t point, real *g, int64_t tap, bool add)
{
    between_points(middle_kernel_gradient_1d, MIDDLE_IN, TAPS, u, point, g, tap, add);
}

static void small_input(const real *corner, const mfm_winograd_tile *t, real *to, int64_t point)
{
    from_image(small_input_1d, SMALL_IN, SMALL_IN, corner, t, to, point);
}

static void small_output(const real *m, int64_t point, const mfm_winograd_tile *t, real *corner,
                         bool add)
{
    to_image(small_output_1d, SMALL_IN, SMALL_OUT, m, point, t, corner, add);
}

static void small_kernel(const real *g, int64_t tap, real *to, int64_t point)
{
    between_points(small_kernel_1d, TAPS, SMALL_IN, g, tap, to, point, false);
}

static void gradient(const real *corner, const mfm_winograd_tile *t, real *to, int64_t point)
{
    from_image(gradient_1d, OUT, IN, corner, t, to, point);
}

static void kernel(const real *g, int64_t tap, real *to, int64_t point)
{
    between_points(kernel_1d, TAPS, IN, g, tap, to, point, false);
}

static void kernel_gradient(const real *u, int64_t point, real *g, int64_t tap, bool add)
{
    between_points(kernel_gradient_1d, IN, TAPS, u, point, g, tap, add);
}

const mfm_winograd_form mfm_winograd_large = {.out = OUT,
                                              .points = MFM_WINOGRAD_POINTS,
                                              .input = input,
                                              .output = output,
                                              .kernel = kernel,
                                              .gradient = gradient,
                                              .kernel_gradient = kernel_gradient};
const mfm_winograd_form mfm_winograd_middle = {.out = MIDDLE_OUT,
                                               .points = MFM_WINOGRAD_MIDDLE_POINTS,
                                               .input = middle_input,
                                               .gradient = middle_gradient,
                                               .kernel_gradient = middle_kernel_gradient};
const mfm_winograd_form mfm_winograd_small = {.out = SMALL_OUT,
                                              .points = MFM_WINOGRAD_SMALL_POINTS,
                                              .input = small_input,
                                              .output = small_output,
                                              .kernel = small_kernel};
