/*
 * LpNormalization (ONNX 1, 22): x divided by its norm along one axis, with p 1 or 2; 0 where the
 * norm is 0. With s = 1 / |x| and w the norm's gradient, which is sign(x) for p = 1 and y for p =
 * 2, y = s x,   J v = s (v - y <w, v>).
 *
 * jvp    y' = s (x' - y <w, x'>).
 * vjp    gx = s (g - w <y, g>).
 * vjp_t  s' = -s^2 <w, x'>, and w' = 0 for p = 1, y' for p = 2, so that
 *     gx' = s (g' - w <y, g'>) + s' (g - w <y, g>) - s (w' <y, g> + w <y', g>).
 *
 * saved: s, a number a run. All is 0 where s is.
 */
#include <tgmath.h>

#include "core/engine/impl.h"
#include "core/engine/ops/reduce/runs.h"

enum { PARALLEL_FROM = 16384 };

typedef struct lp_normalization_attr {
    int64_t axis, p;
} lp_normalization_attr;

/* One run of a pass: x, and s. */
typedef struct run {
    int64_t length, inner;
    bool absolute; /* p = 1 */
    double s;
    const real *x;
} run;

static mfm_runs runs_of(const mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape;
    const int64_t axis = ((const lp_normalization_attr *)node->attr)->axis;
    return mfm_runs_along(x, (int)(axis < 0 ? axis + x->rank : axis));
}

static run run_at(const mfm_node *node, const mfm_runs *v, int64_t r)
{
    return (run){.length = v->length,
                 .inner = v->inner,
                 .absolute = ((const lp_normalization_attr *)node->attr)->p == 1,
                 .s = (double)node->saved[r],
                 .x = mfm_in(node, 0, MFM_X) + mfm_run_start(v, r)};
}

static inline double y_of(const run *f, int64_t k)
{
    return f->s * (double)f->x[k];
}

static inline double w_of(const run *f, int64_t k)
{
    return f->absolute ? (f->x[k] > 0) - (f->x[k] < 0) : y_of(f, k);
}

/* <y, v> */
static double along_y(const run *f, const real *v)
{
    double sum = 0;
    for (int64_t i = 0, k = 0; i < f->length; i++, k += f->inner)
        sum += y_of(f, k) * (double)v[k];
    return sum;
}

/* <w, v> */
static double along_w(const run *f, const real *v)
{
    double sum = 0;
    for (int64_t i = 0, k = 0; i < f->length; i++, k += f->inner)
        sum += w_of(f, k) * (double)v[k];
    return sum;
}

static void forward(const mfm_node *node)
{
    const mfm_runs v = runs_of(node);
    real *out = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (v.runs * v.length >= PARALLEL_FROM)
    for (int64_t r = 0; r < v.runs; r++) {
        run f = run_at(node, &v, r);
        double sum = 0;
        for (int64_t i = 0, k = 0; i < f.length; i++, k += f.inner)
            sum += f.absolute ? fabs((double)f.x[k]) : (double)f.x[k] * (double)f.x[k];
        const double norm = f.absolute ? sum : sqrt(sum);
        f.s = norm == 0 ? 0 : 1 / norm;
        node->saved[r] = (real)f.s;
        real *y = out + mfm_run_start(&v, r);
        for (int64_t i = 0, k = 0; i < f.length; i++, k += f.inner)
            y[k] = (real)y_of(&f, k);
    }
}

static void jvp(const mfm_node *node)
{
    const mfm_runs v = runs_of(node);
    const real *dx = mfm_in(node, 0, MFM_DX);
    real *out = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (v.runs * v.length >= PARALLEL_FROM)
    for (int64_t r = 0; r < v.runs; r++) {
        const run f = run_at(node, &v, r);
        const real *u = dx + mfm_run_start(&v, r);
        real *dy = out + mfm_run_start(&v, r);
        const double wu = along_w(&f, u);
        for (int64_t i = 0, k = 0; i < f.length; i++, k += f.inner)
            dy[k] = (real)(f.s * ((double)u[k] - y_of(&f, k) * wu));
    }
}

/* to = [to +] J^T g */
static void pull(const mfm_node *node, const real *g, real *to, bool add)
{
    const mfm_runs v = runs_of(node);
#pragma omp parallel for if (v.runs * v.length >= PARALLEL_FROM)
    for (int64_t r = 0; r < v.runs; r++) {
        const run f = run_at(node, &v, r);
        const int64_t at = mfm_run_start(&v, r);
        const double yg = along_y(&f, g + at);
        for (int64_t i = 0, k = 0; i < f.length; i++, k += f.inner)
            to[at + k] =
                (add ? to[at + k] : 0) + (real)(f.s * ((double)g[at + k] - w_of(&f, k) * yg));
    }
}

static void vjp(const mfm_node *node)
{
    real *to = mfm_in(node, 0, MFM_G);
    if (to)
        pull(node, mfm_out(node, 0, MFM_G), to, mfm_accumulates(node, 0, MFM_G));
}

/* The terms of gx' with g, one run: u is x'. */
static void pull_tangent_run(const run *f, const real *u, const real *g, real *to, bool add)
{
    const double yg = along_y(f, g), wu = along_w(f, u), ds = -f->s * f->s * wu;
    double dyg = 0; /* <y', g> */
    for (int64_t i = 0, k = 0; i < f->length; i++, k += f->inner)
        dyg += f->s * ((double)u[k] - y_of(f, k) * wu) * (double)g[k];
    for (int64_t i = 0, k = 0; i < f->length; i++, k += f->inner) {
        const double dy = f->s * ((double)u[k] - y_of(f, k) * wu), dw = f->absolute ? 0 : dy;
        const double turned = dw * yg + w_of(f, k) * dyg;
        to[k] = (add ? to[k] : 0) + (real)(ds * ((double)g[k] - w_of(f, k) * yg) - f->s * turned);
    }
}

static void vjp_t(const mfm_node *node)
{
    const mfm_runs v = runs_of(node);
    const real *dx = mfm_in(node, 0, MFM_DX);
    const real *g = mfm_out(node, 0, MFM_G), *dg = mfm_out(node, 0, MFM_DG);
    real *to = mfm_in(node, 0, MFM_DG);
    const bool second = g && dx, add = to && mfm_accumulates(node, 0, MFM_DG);
    if (!to)
        return;
    if (dg)
        pull(node, dg, to, add);
#pragma omp parallel for if (v.runs * v.length >= PARALLEL_FROM)
    for (int64_t r = 0; r < v.runs; r++) {
        const run f = run_at(node, &v, r);
        const int64_t at = mfm_run_start(&v, r);
        if (second)
            pull_tangent_run(&f, dx + at, g + at, to + at, add || dg);
        else if (!dg && !add)
            for (int64_t i = 0; i < f.length; i++)
                to[at + i * f.inner] = 0;
    }
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const lp_normalization_attr *attr = node->attr;
    char text[MFM_SHAPE_TEXT];
    int axis;
    if (attr->p != 1 && attr->p != 2)
        return mfm_infer_fail(ctx, node, "p %lld: must be 1 or 2", (long long)attr->p);
    if (mfm_shape_count(&node->in[0]->shape) < 1)
        return mfm_infer_fail(ctx, node, "input %s: must have elements",
                              mfm_shape_text(&node->in[0]->shape, text));
    const int status = mfm_infer_axis(ctx, node, attr->axis, node->in[0]->shape.rank, &axis);
    return status ? status : mfm_infer_same(ctx, node);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->saved_size = (size_t)runs_of(node).runs;
    return MFM_OK;
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};
static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "axis",
     .type = MFM_INT,
     .offset = offsetof(lp_normalization_attr, axis),
     .fallback = -1},
    {.name = "p", .type = MFM_INT, .offset = offsetof(lp_normalization_attr, p), .fallback = 2},
    {0}};

static const char *const samples[] = {
    "[3,7]",         "[3,7] p=1", "[2,5,3,4] axis=1", "[2,5,3,4] axis=-1 p=1", "[2,3,4] axis=0",
    "[4,1] opset=1", NULL};

const mfm_op mfm_op_lp_normalization = {
    .name = "LpNormalization",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(lp_normalization_attr),
    .shape = infer_shape,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x divided by its norm along an axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_lp_normalization = {
    .op = &mfm_op_lp_normalization,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
