/*
 * The four passes. With W the sum over windows, W^T its adjoint, u = |x|^(p-1) sign(x) and
 * v = y^(1-p), which is taken for 0 where y is,
 *     y = W(|x|^p)^(1/p).
 *
 * jvp    y' = v W(u x').
 * vjp    gx = u W^T(v g).
 * vjp_t  u' = (p - 1) |x|^(p-2) x',   v' = (1 - p) v y' / y,
 *     gx' = u W^T(v g' + v' g) + u' W^T(v g).
 *
 * saved: y. scratch: a tensor of the input's size, and two of the result's.
 */
#include <math.h>
#include <tgmath.h>

#include "core/engine/ops/pool/lp_pool.h"
#include "core/engine/ops/pool/window_sum.h"

int mfm_lp_pool_check(mfm_ctx *ctx, const mfm_node *node)
{
    const int64_t p = ((const mfm_lp_pool_attr *)node->attr)->p;
    if (p < 1 || p > 64)
        return mfm_infer_fail(ctx, node, "p %lld: must be in [1, 64]", (long long)p);
    return MFM_OK;
}

typedef struct lp_pool {
    const mfm_node *node;
    const mfm_window *window;
    const mfm_shape *shape;
    real p;
    int64_t in, out; /* numbers of input and result */
    const real *x;
    real *y; /* saved */
    real *inside, *results, *more;
} lp_pool;

static lp_pool begin(const mfm_node *node)
{
    lp_pool f = {.node = node, .window = node->kernel, .shape = &node->in[0]->shape};
    f.p = (real)((const mfm_lp_pool_attr *)node->attr)->p;
    f.in = mfm_shape_count(f.shape);
    f.out = mfm_shape_count(&node->out[0]->shape);
    f.x = mfm_in(node, 0, MFM_X);
    f.y = node->saved;
    f.inside = node->scratch;
    f.results = f.inside + f.in;
    f.more = f.results + f.out;
    return f;
}

int mfm_lp_pool_sizes(mfm_node *node)
{
    node->saved_size = (size_t)mfm_shape_count(&node->out[0]->shape);
    node->scratch_size = (size_t)mfm_shape_count(&node->in[0]->shape) + 2 * node->saved_size;
    return MFM_OK;
}

/* a^e for a >= 0; 0 to a negative power counts as 0, as there is no derivative there. */
static inline real power(real a, real e)
{
    if (e == 0)
        return 1;
    if (e == 1)
        return a;
    if (e == 2)
        return a * a;
    return a == 0 && e < 0 ? 0 : pow(a, e);
}

static inline real sign(real x)
{
    return (real)((x > 0) - (x < 0));
}

static inline real u_of(const lp_pool *f, int64_t i)
{
    return sign(f->x[i]) * power(fabs(f->x[i]), f->p - 1);
}

static inline real v_of(const lp_pool *f, int64_t i)
{
    return f->y[i] == 0 ? 0 : power(f->y[i], 1 - f->p);
}

static void sum(const lp_pool *f, const real *x, real *y)
{
    mfm_window_sum(f->window, f->shape, MFM_SHARE_ONE, x, y);
}

static void forward(const mfm_node *node)
{
    const lp_pool f = begin(node);
    real *y = mfm_out(node, 0, MFM_X);
    for (int64_t i = 0; i < f.in; i++)
        f.inside[i] = power(fabs(f.x[i]), f.p);
    sum(&f, f.inside, f.y);
    for (int64_t i = 0; i < f.out; i++)
        y[i] = f.y[i] = f.p == 2 ? sqrt(f.y[i]) : power(f.y[i], 1 / f.p);
}

/* y' */
static void tangent(const lp_pool *f, const real *dx, real *dy)
{
    for (int64_t i = 0; i < f->in; i++)
        f->inside[i] = u_of(f, i) * dx[i];
    sum(f, f->inside, dy);
    for (int64_t i = 0; i < f->out; i++)
        dy[i] *= v_of(f, i);
}

static void jvp(const mfm_node *node)
{
    const lp_pool f = begin(node);
    tangent(&f, mfm_in(node, 0, MFM_DX), mfm_out(node, 0, MFM_DX));
}

/* to = [to +] factor W^T(results), factor u, or u' along dx. */
static void spread(const lp_pool *f, const real *dx, real *to, bool add)
{
    mfm_window_spread(f->window, f->shape, MFM_SHARE_ONE, f->results, f->inside, false);
    for (int64_t i = 0; i < f->in; i++) {
        const real factor = dx ? (f->p - 1) * power(fabs(f->x[i]), f->p - 2) * dx[i] : u_of(f, i);
        to[i] = (add ? to[i] : 0) + factor * f->inside[i];
    }
}

static void vjp(const mfm_node *node)
{
    const lp_pool f = begin(node);
    const real *g = mfm_out(node, 0, MFM_G);
    real *to = mfm_in(node, 0, MFM_G);
    if (!to)
        return;
    for (int64_t i = 0; i < f.out; i++)
        f.results[i] = v_of(&f, i) * g[i];
    spread(&f, NULL, to, mfm_accumulates(node, 0, MFM_G));
}

static void vjp_t(const mfm_node *node)
{
    const lp_pool f = begin(node);
    const real *dg = mfm_out(node, 0, MFM_DG), *g = mfm_out(node, 0, MFM_G);
    const real *dx = g ? mfm_in(node, 0, MFM_DX) : NULL;
    real *to = mfm_in(node, 0, MFM_DG);
    if (!to)
        return;
    if (dx)
        tangent(&f, dx, f.more);
    for (int64_t i = 0; i < f.out; i++) {
        const real v = v_of(&f, i);
        const real dv = dx && f.y[i] != 0 ? (1 - f.p) * v * f.more[i] / f.y[i] : 0;
        f.results[i] = (dg ? v * dg[i] : 0) + (dx ? dv * g[i] : 0);
    }
    spread(&f, NULL, to, mfm_accumulates(node, 0, MFM_DG));
    if (!dx)
        return;
    for (int64_t i = 0; i < f.out; i++)
        f.results[i] = v_of(&f, i) * g[i];
    spread(&f, dx, to, true);
}

const mfm_rule mfm_rule_lp_pool = {forward, jvp, vjp, vjp_t};
