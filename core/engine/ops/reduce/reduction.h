/*
 * What ReduceSum, ReduceMax, ReduceL2 and so on share: the axes, and the passes of those whose
 * result has a slope by each number that follows from this number and the result.
 *
 * ONNX reduces over `axes`, over all of them when none are named (unless noop_with_empty_axes says
 * that this means none). The axes remain with length 1 when keepdims.
 */
#ifndef MFM_REDUCTION_H
#define MFM_REDUCTION_H

#include "core/engine/rules.h"

typedef struct mfm_reduction_attr {
    mfm_ints axes;
    int64_t keepdims, noop_with_empty_axes;
} mfm_reduction_attr;

/* axes is input 1 from opset 13 on (ReduceSum), or from 18 on (the others); before, an attribute.
 */
extern const mfm_attr_def mfm_reduction_attrs_13[], mfm_reduction_attrs_18[];
extern const mfm_port mfm_reduction_inputs[], mfm_reduction_outputs[];
int mfm_reduction_infer(mfm_ctx *ctx, mfm_node *node);
/* The same, for operators whose result is not the number itself where nothing is reduced: what
 * noop_with_empty_axes means for them, ONNX has told in two ways, and so it is refused. */
int mfm_reduction_infer_some(mfm_ctx *ctx, mfm_node *node);

/* Axes of every kind, in rows that lie together and apart. */
#define MFM_REDUCTION_SAMPLES                                                                      \
    "[2,3,4,5] axes=2,3", "[2,3,4,5] axes=2,3 keepdims=0", "[2,3,4,5] axes=1 keepdims=0",          \
        "[2,3,4,5] axes=-2 keepdims=0", "[2,3,4]", "[2,3,4] keepdims=0", "[2,3,2,2,2] axes=0,2",   \
        "[2,1,1,1] axes=2,3", "[2,3,4,5] axes=3", "[2,3] axes=1 opset=1"

/* Which axes of the input are reduced. */
void mfm_reduction_mark(const mfm_node *node, bool reduced[MFM_MAX_RANK]);
/* Strides of input and result along the input's axes, 0 for the result's where it is reduced.
 * Returns the numbers that make one result. */
int64_t mfm_reduction_strides(const mfm_node *node, int64_t x[MFM_MAX_RANK],
                              int64_t y[MFM_MAX_RANK]);

/* 1 / the numbers that make one result: where samples are among the axes, those of all ranks. */
real mfm_reduction_share(const mfm_node *node);
/* y = scale * sum of x over the axes, of a lane; and its adjoint. Over samples it is the sum of all
 * ranks; of the result's adjoint each has what comes from its own samples, unless it is a seed. */
void mfm_reduction_scaled(const mfm_node *node, enum mfm_lane lane, real scale);
void mfm_reduction_spread(const mfm_node *node, enum mfm_lane lane, real scale);

/* ---- y with dy/dx_i = p(x_i, y) -------------------------------------------------------------- */

/* Numbers of the input at distance `step`, and what belongs to their results at distance y_step. */
typedef struct mfm_reduction_row {
    int64_t n, step, y_step;
    const real *x, *dx; /* dx: only where asked for */
    const real *y, *dy;
    const real *u; /* what is multiplied: at distance u_step */
    int64_t u_step;
    real *to;
    bool add;
} mfm_reduction_row;

typedef struct mfm_reduction {
    void (*forward)(const mfm_node *node);
    void (*slope)(const mfm_reduction_row *row); /* to = [to +] p u */
    void (*bend)(const mfm_reduction_row *row);  /* to += p' u; NULL: p' is zero */
} mfm_reduction;

/* With p' the derivative of p along x' (and y'), and R the sum over the axes:
 *     jvp    y'  = R p x'
 *     vjp    gx  = p g
 *     vjp_t  gx' = p g' + p' g
 * The implementation has this set-up, and `reads` as p and p' need. */
extern const mfm_rule mfm_rule_reduction;
int mfm_reduction_setup(mfm_ctx *ctx, mfm_node *node);
/* y = R t, t in the input's storage order. */
void mfm_reduction_sum(const mfm_node *node, const real *t, real *y);
/* A row function over the whole input; base has the lanes' first numbers, u of the result or of the
 * input. */
void mfm_reduction_walk(const mfm_node *node, void (*function)(const mfm_reduction_row *row),
                        const mfm_reduction_row *base, bool u_is_result);

/* The loops of slope and bend from functions of single numbers. */
static inline __attribute__((always_inline)) void mfm_reduction_slopes(real (*p)(real x, real y),
                                                                       const mfm_reduction_row *row)
{
    const mfm_reduction_row r = *row;
    if (r.step == 1 && r.y_step == 0 && r.u_step == 0) {
        const real y = *r.y, u = *r.u;
#pragma omp simd
        for (int64_t i = 0; i < r.n; i++)
            r.to[i] = (r.add ? r.to[i] : 0) + p(r.x[i], y) * u;
        return;
    }
    for (int64_t i = 0; i < r.n; i++) {
        real *to = r.to + i * r.step;
        *to = (r.add ? *to : 0) + p(r.x[i * r.step], r.y[i * r.y_step]) * r.u[i * r.u_step];
    }
}

static inline __attribute__((always_inline)) void mfm_reduction_bends(
    real (*bend)(real x, real y, real dx, real dy), const mfm_reduction_row *row)
{
    const mfm_reduction_row r = *row;
    for (int64_t i = 0; i < r.n; i++)
        r.to[i * r.step] +=
            bend(r.x[i * r.step], r.y[i * r.y_step], r.dx[i * r.step], r.dy[i * r.y_step]) *
            r.u[i * r.u_step];
}

#endif
