/*
 * LRN (ONNX 1, 13): every number is divided by a power of the squares around it, over `size`
 * neighbouring channels of the same place, (size - 1) / 2 before it, rounded down, and the others
 * behind it, as far as there are channels. With W the sum over these, W^T its transpose and
 * a = alpha / size,
 *     q = bias + a W(x^2),   u = q^-beta,   t = u / q,   y = x u.
 *
 * jvp    q' = 2 a W(x x'),   y' = x' u - beta x t q'.
 * vjp    gx = g u - 2 a beta x S,   S = W^T(g x t).
 * vjp_t  u' = -beta t q',   t' = -(beta + 1) t q' / q,
 *     gx' = g' u + g u' - 2 a beta (x' S + x S'),   S' = W^T(g' x t + g x' t + g x t').
 *
 * saved: q, of the input's size.
 */
#include <math.h>
#include <tgmath.h>

#include "core/engine/impl.h"
#include "core/engine/ops/reduce/runs.h"

enum { PARALLEL_FROM = 16384 };

/* Arrays of the input's size in scratch. */
enum { PRODUCTS, SLOPES, SUMS, TANGENTS, ARRAYS };

typedef struct lrn_attr {
    double alpha, beta, bias;
    int64_t size;
} lrn_attr;

typedef struct lrn {
    const mfm_node *node;
    int64_t count;
    mfm_runs v;
    int64_t before, behind; /* channels of the window on either side */
    real a, beta, bias;
    const real *x;
    real *q;
} lrn;

static lrn begin(const mfm_node *node)
{
    const lrn_attr *attr = node->attr;
    lrn f = {.node = node, .count = mfm_shape_count(&node->in[0]->shape)};
    f.v = mfm_runs_along(&node->in[0]->shape, 1);
    f.before = (attr->size - 1) / 2;
    f.behind = attr->size - 1 - f.before;
    f.before = f.before < f.v.length ? f.before : f.v.length - 1;
    f.behind = f.behind < f.v.length ? f.behind : f.v.length - 1;
    f.a = (real)(attr->alpha / (double)attr->size);
    f.beta = (real)attr->beta;
    f.bias = (real)attr->bias;
    f.x = mfm_in(node, 0, MFM_X);
    f.q = node->saved;
    return f;
}

static real *array(const lrn *f, int number)
{
    return f->node->scratch + number * f->count;
}

/* to = the sums of from over the channels from `before` ones before to `behind` ones behind. */
static void sum_run(const mfm_runs *v, int64_t before, int64_t behind, const real *restrict from,
                    real *restrict to)
{
    const int64_t s = v->inner;
    for (int64_t c = 0; c < v->length; c++)
        to[c * s] = 0;
    for (int64_t d = -before; d <= behind; d++) {
        const int64_t first = d < 0 ? -d : 0, end = d > 0 ? v->length - d : v->length;
        for (int64_t c = first; c < end; c++)
            to[c * s] += from[(c + d) * s];
    }
}

static void window(const lrn *f, const real *from, real *to)
{
#pragma omp parallel for if (f->count >= PARALLEL_FROM)
    for (int64_t r = 0; r < f->v.runs; r++) {
        const int64_t at = mfm_run_start(&f->v, r);
        sum_run(&f->v, f->before, f->behind, from + at, to + at);
    }
}

static void window_transposed(const lrn *f, const real *from, real *to)
{
#pragma omp parallel for if (f->count >= PARALLEL_FROM)
    for (int64_t r = 0; r < f->v.runs; r++) {
        const int64_t at = mfm_run_start(&f->v, r);
        sum_run(&f->v, f->behind, f->before, from + at, to + at);
    }
}

/* q^-beta; beta is 3/4 in every network that is known. */
static inline real power(real q, real beta)
{
    return beta == (real)0.75 ? 1 / sqrt(q * sqrt(q)) : pow(q, -beta);
}

static void forward(const mfm_node *node)
{
    const lrn f = begin(node);
    real *squares = array(&f, PRODUCTS), *y = mfm_out(node, 0, MFM_X);
#pragma omp parallel for simd if (f.count >= PARALLEL_FROM)
    for (int64_t i = 0; i < f.count; i++)
        squares[i] = f.x[i] * f.x[i];
    window(&f, squares, f.q);
#pragma omp parallel for if (f.count >= PARALLEL_FROM)
    for (int64_t i = 0; i < f.count; i++) {
        f.q[i] = f.bias + f.a * f.q[i];
        y[i] = f.x[i] * power(f.q[i], f.beta);
    }
}

/* W(x x'), of which q' is 2 a times. */
static const real *slopes(const lrn *f, const real *dx)
{
    real *products = array(f, PRODUCTS);
#pragma omp parallel for simd if (f->count >= PARALLEL_FROM)
    for (int64_t i = 0; i < f->count; i++)
        products[i] = f->x[i] * dx[i];
    window(f, products, array(f, SLOPES));
    return array(f, SLOPES);
}

static void jvp(const mfm_node *node)
{
    const lrn f = begin(node);
    const real *dx = mfm_in(node, 0, MFM_DX), *slope = slopes(&f, dx);
    real *dy = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (f.count >= PARALLEL_FROM)
    for (int64_t i = 0; i < f.count; i++) {
        const real u = power(f.q[i], f.beta), t = u / f.q[i];
        dy[i] = dx[i] * u - f.beta * f.x[i] * t * 2 * f.a * slope[i];
    }
}

/* S */
static const real *sums(const lrn *f, const real *g)
{
    real *products = array(f, PRODUCTS);
#pragma omp parallel for if (f->count >= PARALLEL_FROM)
    for (int64_t i = 0; i < f->count; i++)
        products[i] = g[i] * f->x[i] * power(f->q[i], f->beta) / f->q[i];
    window_transposed(f, products, array(f, SUMS));
    return array(f, SUMS);
}

/* to = [to +] J^T g */
static void pull(const lrn *f, const real *g, real *to, bool add)
{
    const real *sum = sums(f, g);
#pragma omp parallel for if (f->count >= PARALLEL_FROM)
    for (int64_t i = 0; i < f->count; i++)
        to[i] = (add ? to[i] : 0) + g[i] * power(f->q[i], f->beta) -
                2 * f->a * f->beta * f->x[i] * sum[i];
}

static void vjp(const mfm_node *node)
{
    const lrn f = begin(node);
    real *to = mfm_in(node, 0, MFM_G);
    if (to)
        pull(&f, mfm_out(node, 0, MFM_G), to, mfm_accumulates(node, 0, MFM_G));
}

/* S' without the part of g' */
static const real *tangents(const lrn *f, const real *dx, const real *g, const real *slope)
{
    real *products = array(f, PRODUCTS);
#pragma omp parallel for if (f->count >= PARALLEL_FROM)
    for (int64_t i = 0; i < f->count; i++) {
        const real t = power(f->q[i], f->beta) / f->q[i];
        const real dt = -(f->beta + 1) * t * 2 * f->a * slope[i] / f->q[i];
        products[i] = g[i] * (dx[i] * t + f->x[i] * dt);
    }
    window_transposed(f, products, array(f, TANGENTS));
    return array(f, TANGENTS);
}

/* to = [to +] (dJ)^T g along x' */
static void pull_tangent(const lrn *f, const real *dx, const real *g, real *to, bool add)
{
    const real *slope = slopes(f, dx), *sum = sums(f, g), *tangent = tangents(f, dx, g, slope);
#pragma omp parallel for if (f->count >= PARALLEL_FROM)
    for (int64_t i = 0; i < f->count; i++) {
        const real t = power(f->q[i], f->beta) / f->q[i];
        const real along = g[i] * t * slope[i] + dx[i] * sum[i] + f->x[i] * tangent[i];
        to[i] = (add ? to[i] : 0) - 2 * f->a * f->beta * along;
    }
}

static void vjp_t(const mfm_node *node)
{
    const lrn f = begin(node);
    const real *dx = mfm_in(node, 0, MFM_DX);
    const real *g = mfm_out(node, 0, MFM_G), *dg = mfm_out(node, 0, MFM_DG);
    real *to = mfm_in(node, 0, MFM_DG);
    bool add = mfm_accumulates(node, 0, MFM_DG);
    if (!to)
        return;
    if (dg) {
        pull(&f, dg, to, add);
        add = true;
    }
    if (g && dx) {
        pull_tangent(&f, dx, g, to, add);
        add = true;
    }
    for (int64_t i = 0; i < f.count && !add; i++)
        to[i] = 0;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const lrn_attr *attr = node->attr;
    const mfm_shape *x = &node->in[0]->shape;
    char text[MFM_SHAPE_TEXT];
    if (x->rank < 2 || mfm_shape_count(x) < 1)
        return mfm_infer_fail(ctx, node, "input %s: must be [n, c, ...] with elements",
                              mfm_shape_text(x, text));
    if (attr->size < 1)
        return mfm_infer_fail(ctx, node, "size %lld: must be at least 1", (long long)attr->size);
    if (!isfinite(attr->alpha) || !isfinite(attr->beta) || !isfinite(attr->bias))
        return mfm_infer_fail(ctx, node, "alpha %g, beta %g, bias %g: must be finite", attr->alpha,
                              attr->beta, attr->bias);
    return mfm_infer_same(ctx, node);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->saved_size = (size_t)mfm_shape_count(&node->in[0]->shape);
    node->scratch_size = ARRAYS * node->saved_size;
    return MFM_OK;
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "size", .type = MFM_INT, .offset = offsetof(lrn_attr, size), .required = true},
    {.name = "alpha", .type = MFM_FLOAT, .offset = offsetof(lrn_attr, alpha), .fallback = 1e-4},
    {.name = "beta", .type = MFM_FLOAT, .offset = offsetof(lrn_attr, beta), .fallback = 0.75},
    {.name = "bias", .type = MFM_FLOAT, .offset = offsetof(lrn_attr, bias), .fallback = 1},
    {0}};

static const char *const samples[] = {"[2,7,3,2] size=5 alpha=0.7",
                                      "[2,6,2,2] size=4 alpha=0.5 beta=0.6 bias=2",
                                      "[2,5,3,3] size=3",
                                      "[1,3,2,2] size=9 alpha=2",
                                      "[2,4,2,2] size=1 alpha=1 opset=1",
                                      "[3,6] size=3 alpha=0.8",
                                      "[2,5,4] size=3 alpha=0.8 beta=0.5",
                                      NULL};

const mfm_op mfm_op_lrn = {
    .name = "LRN",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(lrn_attr),
    .shape = infer_shape,
    .batch = MFM_BATCH_FIRST,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x / (bias + alpha mean of the squares of neighbouring channels)^beta",
    .samples = samples,
};

const mfm_impl mfm_cpu_lrn = {
    .op = &mfm_op_lrn,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
