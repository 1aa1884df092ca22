/*
 * The four passes of LayerNormalization over rows of L numbers, the last axes of x:
 *     y = gamma xhat + beta,   xhat = s (x - mu),   s = 1 / sqrt(v + epsilon)
 * with gamma and beta [L], mu and v the row's mean and population variance. RMSNormalization has
 * mu = 0 and v = <x^2>.
 *
 * Write <u> for the mean of u over the row, h = gamma g, and for the direction of differentiation
 *     dmu = <x'>,   r = <xhat x'>.   Then   s' = -s^2 r,   xhat' = s (x' - dmu - r xhat).
 *
 * jvp    y' = gamma xhat' + gamma' xhat + beta'
 *
 * vjp    with a = <h>, b = <h xhat>
 *     gx = s (h - a - b xhat),   ggamma = sum g xhat,   gbeta = sum g   over the rows
 *
 * vjp_t  with h' = gamma g' + gamma' g
 *     a' = <h'>,   b' = <h' xhat> + <h xhat'>
 *     gx' = s' (h - a - b xhat) + s (h' - a' - b' xhat - b xhat')
 *     ggamma' = sum g' xhat + g xhat',   gbeta' = sum g'
 * Without a mean, dmu = a = a' = 0.
 *
 * Rows are taken in the chunks of the samples that they belong to, and sums over rows are those of
 * the chunks along their tree (core/base/share.h). saved: mu and s, each [rows].
 */
#include "core/engine/ops/norm/layer_norm.h"

#include <math.h>
#include <string.h>

#include "core/engine/kernels/broadcast.h"
#include "core/engine/ops/reduce/runs.h"

enum { PARALLEL_FROM = 16384 };

/* What follows from the shapes. */
typedef struct plan {
    mfm_runs x;
    mfm_share share; /* whose rows these are */
    int chunks;
    int64_t *place[2]; /* of scale, bias: of element k of a row; NULL: k */
} plan;

static int axis_of(const mfm_node *node)
{
    const int64_t axis = ((const mfm_layer_norm_attr *)node->attr)->axis;
    return (int)(axis < 0 ? axis + node->in[MFM_LN_INPUT]->shape.rank : axis);
}

static const mfm_tensor *param(const mfm_node *node, int input)
{
    return input < node->n_in ? node->in[input] : NULL;
}

/* The axes that are normalised. */
static mfm_shape axes_from(const mfm_shape *x, int axis)
{
    mfm_shape row = {.rank = x->rank - axis};
    memcpy(row.dim, x->dim + axis, (size_t)row.rank * sizeof row.dim[0]);
    return row;
}

static mfm_shape row_shape(const mfm_node *node)
{
    return axes_from(&node->in[MFM_LN_INPUT]->shape, axis_of(node));
}

bool mfm_layer_norm_takes(const mfm_shape *x, int axis, const mfm_shape *param)
{
    const mfm_shape row = axes_from(x, axis);
    mfm_shape full;
    return mfm_broadcast_shape(param, &row, &full) && mfm_shape_equal(&full, &row);
}

int mfm_layer_norm_infer(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_layer_norm_attr *attr = node->attr;
    const mfm_shape *x = &node->in[MFM_LN_INPUT]->shape;
    char text[MFM_SHAPE_TEXT], other[MFM_SHAPE_TEXT];
    int axis;
    const int status = mfm_infer_axis(ctx, node, attr->axis, x->rank, &axis);
    if (status)
        return status;
    if (!(attr->epsilon >= 0 && attr->epsilon < INFINITY))
        return mfm_infer_fail(ctx, node, "epsilon %g: must be finite and not negative",
                              attr->epsilon);
    if (mfm_shape_count(x) < 1)
        return mfm_infer_fail(ctx, node, "input %s: must have elements", mfm_shape_text(x, text));
    const mfm_shape row = row_shape(node);
    for (int i = MFM_LN_SCALE; i <= MFM_LN_BIAS; i++) {
        const mfm_tensor *p = param(node, i);
        if (p && !mfm_layer_norm_takes(x, axis, &p->shape))
            return mfm_infer_fail(ctx, node, "%s %s: must broadcast to what is normalised, %s",
                                  node->op->inputs[i].name, mfm_shape_text(&p->shape, text),
                                  mfm_shape_text(&row, other));
    }
    for (int i = 1; i < node->n_out; i++)
        if (node->out[i])
            return mfm_infer_fail(ctx, node, "output %s: is used: only the first output may be",
                                  node->op->outputs[i].name);
    return mfm_infer_same(ctx, node);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

/* Where the elements of a row, in the order of the input's memory, find their parameter. */
static int find_places(mfm_ctx *ctx, const mfm_node *node, int input, int64_t length, int64_t **to)
{
    const mfm_shape *x = &node->in[MFM_LN_INPUT]->shape, row = row_shape(node);
    const int first = axis_of(node);
    int64_t own[MFM_MAX_RANK], at[MFM_MAX_RANK] = {0};
    int order[MFM_MAX_RANK], axes[MFM_MAX_RANK], n = 0;
    bool plain = true;
    mfm_broadcast_strides(&param(node, input)->shape, &row, own);
    mfm_shape_order(x, order);
    for (int i = 0; i < x->rank; i++)
        if (order[i] >= first)
            axes[n++] = order[i] - first;
    int64_t *place = mfm_alloc(ctx, (size_t)length, sizeof *place);
    if (!place)
        return MFM_ENOMEM;
    for (int64_t k = 0; k < length; k++) {
        for (int i = 0; i < n; i++)
            place[k] += at[axes[i]] * own[axes[i]];
        plain &= place[k] == k;
        for (int i = n - 1; i >= 0 && ++at[axes[i]] == row.dim[axes[i]]; i--)
            at[axes[i]] = 0;
    }
    if (plain) {
        mfm_free(ctx, place);
        place = NULL;
    }
    *to = place;
    return MFM_OK;
}

/* The normalised axes are neighbours in memory, in whatever layout. */
static mfm_runs runs_of(const mfm_node *node)
{
    const mfm_shape *x = &node->in[MFM_LN_INPUT]->shape, row = row_shape(node);
    int64_t stride[MFM_MAX_RANK], inner = INT64_MAX;
    mfm_shape_strides(x, stride);
    for (int i = axis_of(node); i < x->rank; i++)
        inner = stride[i] < inner ? stride[i] : inner;
    const int64_t length = mfm_shape_count(&row);
    return (mfm_runs){.runs = mfm_shape_count(x) / length, .length = length, .inner = inner};
}

int mfm_layer_norm_setup(mfm_ctx *ctx, mfm_node *node)
{
    plan *p = node->kernel = mfm_alloc(ctx, 1, sizeof *p);
    int status = p ? MFM_OK : MFM_ENOMEM;
    if (status)
        return status;
    p->x = runs_of(node);
    p->share = mfm_share_for(&node->share, p->x.runs);
    p->chunks = p->share.end - p->share.first;
    for (int i = 0; i < 2 && !status; i++)
        if (param(node, MFM_LN_SCALE + i))
            status = find_places(ctx, node, MFM_LN_SCALE + i, p->x.length, &p->place[i]);
    node->saved_size = 2 * (size_t)p->x.runs;
    node->scratch_size = 2 * (size_t)p->chunks * (size_t)p->x.length;
    return status;
}

void mfm_layer_norm_release(mfm_ctx *ctx, mfm_node *node)
{
    plan *p = node->kernel;
    for (int i = 0; p && i < 2; i++)
        mfm_free(ctx, p->place[i]);
    mfm_free(ctx, p);
    node->kernel = NULL;
}

/* ---- a row ----------------------------------------------------------------------------------- */

/* Lanes of a row; NULL where they are not there. All but the parameters' have its stride. */
typedef struct row {
    int64_t n, step;
    const int64_t *scale_place, *bias_place;
    const real *x, *dx, *g, *dg;
    const real *scale, *dscale, *bias, *dbias;
    real mu, s;
    bool centred;
    real *y;                    /* result: y, y', gx or gx' */
    bool add;                   /* to it */
    real *sum_scale, *sum_bias; /* [n] to which ggamma and gbeta are added; NULL: not wanted */
} row;

static inline real of_scale(const row *r, const real *lane, int64_t k)
{
    return lane[r->scale_place ? r->scale_place[k] : k];
}

static inline real of_bias(const row *r, const real *lane, int64_t k)
{
    return lane[r->bias_place ? r->bias_place[k] : k];
}

static inline real xhat(const row *r, int64_t k)
{
    return r->s * (r->x[k * r->step] - r->mu);
}

static inline void put(const row *r, int64_t k, real value)
{
    real *to = r->y + k * r->step;
    *to = r->add ? *to + value : value;
}

static inline void forward_row(row *r, double epsilon)
{
    const real count = (real)r->n;
    real sum = 0, square = 0;
    r->mu = 0;
    if (r->centred) {
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < r->n; k++)
            sum += r->x[k * r->step];
        r->mu = sum / count;
    }
    const real mu = r->mu;
#pragma omp simd reduction(+ : square)
    for (int64_t k = 0; k < r->n; k++) {
        const real d = r->x[k * r->step] - mu;
        square += d * d;
    }
    r->s = (real)(1 / sqrt((double)(square / count) + epsilon));
    if (r->bias)
        for (int64_t k = 0; k < r->n; k++)
            r->y[k * r->step] = of_scale(r, r->scale, k) * xhat(r, k) + of_bias(r, r->bias, k);
    else
        for (int64_t k = 0; k < r->n; k++)
            r->y[k * r->step] = of_scale(r, r->scale, k) * xhat(r, k);
}

/* dmu and r of the row's tangent; zero without one. */
static inline void direction(const row *r, real *dmu, real *radial)
{
    real sum = 0, product = 0;
    if (r->dx)
#pragma omp simd reduction(+ : sum, product)
        for (int64_t k = 0; k < r->n; k++) {
            const real d = r->dx[k * r->step];
            sum += d;
            product += xhat(r, k) * d;
        }
    *dmu = r->centred ? sum / (real)r->n : 0;
    *radial = product / (real)r->n;
}

static inline real dxhat(const row *r, int64_t k, real dmu, real radial)
{
    return r->dx ? r->s * (r->dx[k * r->step] - dmu - radial * xhat(r, k)) : 0;
}

static inline void jvp_row(row *r)
{
    real dmu, radial;
    direction(r, &dmu, &radial);
    for (int64_t k = 0; k < r->n; k++) {
        real y = of_scale(r, r->scale, k) * dxhat(r, k, dmu, radial);
        if (r->dscale)
            y += of_scale(r, r->dscale, k) * xhat(r, k);
        if (r->dbias)
            y += of_bias(r, r->dbias, k);
        r->y[k * r->step] = y;
    }
}

static inline void vjp_row(row *r)
{
    real a = 0, b = 0;
#pragma omp simd reduction(+ : a, b)
    for (int64_t k = 0; k < r->n; k++) {
        const real h = of_scale(r, r->scale, k) * r->g[k * r->step];
        a += h;
        b += h * xhat(r, k);
    }
    a = r->centred ? a / (real)r->n : 0;
    b /= (real)r->n;
    if (r->y)
        for (int64_t k = 0; k < r->n; k++)
            put(r, k, r->s * (of_scale(r, r->scale, k) * r->g[k * r->step] - a - b * xhat(r, k)));
    if (r->sum_scale)
        for (int64_t k = 0; k < r->n; k++)
            r->sum_scale[k] += r->g[k * r->step] * xhat(r, k);
    if (r->sum_bias)
        for (int64_t k = 0; k < r->n; k++)
            r->sum_bias[k] += r->g[k * r->step];
}

/* h' at k, with whichever of its terms are there. */
static inline real dh_at(const row *r, int64_t k)
{
    real dh = r->dg ? of_scale(r, r->scale, k) * r->dg[k * r->step] : 0;
    if (r->dscale && r->g)
        dh += of_scale(r, r->dscale, k) * r->g[k * r->step];
    return dh;
}

static inline real h_at(const row *r, int64_t k)
{
    return r->g ? of_scale(r, r->scale, k) * r->g[k * r->step] : 0;
}

static inline void vjp_t_row(row *r)
{
    real dmu, radial, a = 0, b = 0, da = 0, db = 0;
    const real n = (real)r->n;
    direction(r, &dmu, &radial);
#pragma omp simd reduction(+ : a, b, da, db)
    for (int64_t k = 0; k < r->n; k++) {
        const real h = h_at(r, k), dh = dh_at(r, k);
        a += h;
        b += h * xhat(r, k);
        da += dh;
        db += dh * xhat(r, k) + h * dxhat(r, k, dmu, radial);
    }
    a = r->centred ? a / n : 0;
    da = r->centred ? da / n : 0;
    b /= n;
    db /= n;
    const real ds = -r->s * r->s * radial;
    if (r->y)
        for (int64_t k = 0; k < r->n; k++) {
            const real v = xhat(r, k), dv = dxhat(r, k, dmu, radial);
            put(r, k, ds * (h_at(r, k) - a - b * v) + r->s * (dh_at(r, k) - da - db * v - b * dv));
        }
    if (r->sum_scale)
        for (int64_t k = 0; k < r->n; k++)
            r->sum_scale[k] += (r->dg ? r->dg[k * r->step] * xhat(r, k) : 0) +
                               (r->g ? r->g[k * r->step] * dxhat(r, k, dmu, radial) : 0);
    if (r->sum_bias && r->dg)
        for (int64_t k = 0; k < r->n; k++)
            r->sum_bias[k] += r->dg[k * r->step];
}

/* ---- all rows -------------------------------------------------------------------------------- */

enum pass { FORWARD, JVP, VJP, VJP_T };

static inline __attribute__((always_inline)) void run_pass(enum pass pass, row *r, double epsilon)
{
    switch (pass) {
    case FORWARD:
        forward_row(r, epsilon);
        break;
    case JVP:
        jvp_row(r);
        break;
    case VJP:
        vjp_row(r);
        break;
    case VJP_T:
        vjp_t_row(r);
        break;
    }
}

/* Neighbours in memory, with parameters in their order, are what loops are fast over. */
static inline __attribute__((always_inline)) void run_row(enum pass pass, row r, double epsilon,
                                                          real *mu, real *s)
{
    if (r.step == 1 && !r.scale_place && !r.bias_place) {
        row plain = r;
        plain.step = 1;
        plain.scale_place = plain.bias_place = NULL;
        run_pass(pass, &plain, epsilon);
        *mu = plain.mu;
        *s = plain.s;
    } else {
        run_pass(pass, &r, epsilon);
        *mu = r.mu;
        *s = r.s;
    }
}

static const real *at(const real *lane, int64_t offset)
{
    return lane ? lane + offset : NULL;
}

/* The lanes of the node that a pass reads and writes, without a row's offset. */
static row row_of(const mfm_node *node, enum pass pass, real **result)
{
    const plan *p = node->kernel;
    const mfm_layer_norm_form *form = node->impl->parts;
    const enum mfm_lane lane = pass == VJP ? MFM_G : MFM_DG;
    row r = {.n = p->x.length,
             .step = p->x.inner,
             .scale_place = p->place[0],
             .bias_place = p->place[1],
             .x = mfm_in(node, MFM_LN_INPUT, MFM_X),
             .scale = mfm_in(node, MFM_LN_SCALE, MFM_X),
             .centred = form->centred};
    if (pass == FORWARD)
        r.bias = mfm_in(node, MFM_LN_BIAS, MFM_X);
    if (pass == JVP || pass == VJP_T) {
        r.dx = mfm_in(node, MFM_LN_INPUT, MFM_DX);
        r.dscale = mfm_in(node, MFM_LN_SCALE, MFM_DX);
        r.dbias = mfm_in(node, MFM_LN_BIAS, MFM_DX);
    }
    if (pass == VJP || pass == VJP_T)
        r.g = mfm_out(node, 0, MFM_G);
    if (pass == VJP_T)
        r.dg = mfm_out(node, 0, MFM_DG);
    *result = pass == FORWARD ? mfm_out(node, 0, MFM_X)
              : pass == JVP   ? mfm_out(node, 0, MFM_DX)
                              : mfm_in(node, MFM_LN_INPUT, lane);
    r.add = pass >= VJP && mfm_accumulates(node, MFM_LN_INPUT, lane);
    return r;
}

static inline __attribute__((always_inline)) void run_chunk(const mfm_node *node, enum pass pass,
                                                            row r, real *result, int chunk)
{
    const plan *p = node->kernel;
    const double epsilon = ((const mfm_layer_norm_attr *)node->attr)->epsilon;
    const int64_t first = mfm_share_row(&p->share, p->x.runs, chunk);
    const int64_t end = mfm_share_row(&p->share, p->x.runs, chunk + 1);
    real *mu = node->saved, *s = node->saved + p->x.runs;
    for (int64_t i = first; i < end; i++) {
        const int64_t start = mfm_run_start(&p->x, i);
        row own = r;
        own.x = at(r.x, start);
        own.dx = at(r.dx, start);
        own.g = at(r.g, start);
        own.dg = at(r.dg, start);
        own.y = result ? result + start : NULL;
        own.mu = pass == FORWARD ? 0 : mu[i];
        own.s = pass == FORWARD ? 0 : s[i];
        real mean, scale;
        run_row(pass, own, epsilon, &mean, &scale);
        if (pass == FORWARD) {
            mu[i] = mean;
            s[i] = scale;
        }
    }
}

/* The sum of the chunks into a parameter's lane. which: 0 scale, 1 bias */
static void add_sums(const mfm_node *node, int which, enum mfm_lane lane)
{
    const plan *p = node->kernel;
    const int input = MFM_LN_SCALE + which;
    real *to = mfm_in(node, input, lane);
    const int64_t *place = p->place[which];
    const int64_t n = p->x.length;
    if (!to)
        return;
    if (!mfm_accumulates(node, input, lane))
        memset(to, 0, (size_t)mfm_shape_count(&node->in[input]->shape) * sizeof *to);
    for (int64_t k = 0; k < n; k++)
        to[place ? place[k] : k] += node->scratch[which * n + k];
}

static inline __attribute__((always_inline)) void run(const mfm_node *node, enum pass pass)
{
    const plan *p = node->kernel;
    const enum mfm_lane lane = pass == VJP ? MFM_G : MFM_DG;
    real *result;
    const row r = row_of(node, pass, &result);
    real *gscale = pass >= VJP ? mfm_in(node, MFM_LN_SCALE, lane) : NULL;
    real *gbias = pass >= VJP ? mfm_in(node, MFM_LN_BIAS, lane) : NULL;
    const int64_t total = p->x.runs * p->x.length, n = p->x.length;
#pragma omp parallel for if (total >= PARALLEL_FROM && p->chunks > 1)
    for (int c = 0; c < p->chunks; c++) {
        row own = r;
        own.sum_scale = gscale ? node->scratch + 2 * c * n : NULL;
        own.sum_bias = gbias ? node->scratch + (2 * c + 1) * n : NULL;
        if (pass >= VJP)
            memset(node->scratch + 2 * c * n, 0, 2 * (size_t)n * sizeof(real));
        run_chunk(node, pass, own, result, c);
    }
    if (gscale || gbias)
        mfm_share_add_reals(&p->share, node->scratch, 2 * (size_t)n);
    for (int which = 0; which < 2 && pass >= VJP; which++)
        add_sums(node, which, lane);
}

static void forward(const mfm_node *node)
{
    run(node, FORWARD);
}

static void jvp(const mfm_node *node)
{
    run(node, JVP);
}

static void vjp(const mfm_node *node)
{
    run(node, VJP);
}

static void vjp_t(const mfm_node *node)
{
    run(node, VJP_T);
}

const mfm_rule mfm_rule_layer_norm = {forward, jvp, vjp, vjp_t};
