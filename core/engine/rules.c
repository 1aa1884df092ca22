#include "core/engine/rules.h"

#include <string.h>

/* ---- pointwise: y_i = f(x_i) ----------------------------------------------------------------- */

/* Elements per block: value and slopes of one block stay in the first-level cache. */
enum { BLOCK = 1024, PARALLEL_FROM = 16384 };

static int64_t count_of(const mfm_node *node)
{
    return mfm_shape_count(&node->in[0]->shape);
}

static size_t block_length(int64_t start, int64_t count)
{
    return (size_t)(count - start < BLOCK ? count - start : BLOCK);
}

static const real *at(const real *base, int64_t start)
{
    return base ? base + start : NULL;
}

static void pointwise_forward(const mfm_node *node)
{
    const mfm_pointwise *f = node->impl->parts;
    const real *x = mfm_in(node, 0, MFM_X);
    real *y = mfm_out(node, 0, MFM_X);
    const int64_t count = count_of(node);
#pragma omp parallel for if (count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += BLOCK)
        f->value(node->attr, block_length(i, count), x + i, y + i);
}

static void slopes(const mfm_node *node, int64_t start, size_t n, real *d1, real *d2)
{
    const mfm_pointwise *f = node->impl->parts;
    const real *x = node->impl->reads & MFM_READS_IN ? mfm_in(node, 0, MFM_X) : NULL;
    const real *y = node->impl->reads & MFM_READS_OUT ? mfm_out(node, 0, MFM_X) : NULL;
    f->slopes(node->attr, n, at(x, start), at(y, start), d1, d2);
}

/* to = [to +] f' from: the jvp with from = x', the vjp with from = y's adjoint. */
static void pointwise_scale(const mfm_node *node, const real *from, real *to, bool add)
{
    const int64_t count = count_of(node);
#pragma omp parallel for if (count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += BLOCK) {
        real d1[BLOCK];
        const size_t n = block_length(i, count);
        slopes(node, i, n, d1, NULL);
        const real *restrict a = from + i;
        real *restrict b = to + i;
        if (add)
            for (size_t j = 0; j < n; j++)
                b[j] += d1[j] * a[j];
        else
            for (size_t j = 0; j < n; j++)
                b[j] = d1[j] * a[j];
    }
}

/* An input of truth values has no tangent: that of the result is zero. */
static void pointwise_jvp(const mfm_node *node)
{
    const real *from = mfm_in(node, 0, MFM_DX);
    real *to = mfm_out(node, 0, MFM_DX);
    if (from)
        pointwise_scale(node, from, to, false);
    else
        memset(to, 0, (size_t)count_of(node) * sizeof *to);
}

static void pointwise_vjp(const mfm_node *node)
{
    real *g = mfm_in(node, 0, MFM_G);
    if (g)
        pointwise_scale(node, mfm_out(node, 0, MFM_G), g, mfm_accumulates(node, 0, MFM_G));
}

/* dg = [dg +] f'(x) dgy + f''(x) x' gy */
static void pointwise_vjp_t(const mfm_node *node)
{
    real *to = mfm_in(node, 0, MFM_DG);
    if (!to)
        return;
    const real *dgy = mfm_out(node, 0, MFM_DG), *gy = mfm_out(node, 0, MFM_G);
    const real *dx = gy && !node->op->linear ? mfm_in(node, 0, MFM_DX) : NULL;
    const bool add = mfm_accumulates(node, 0, MFM_DG);
    const int64_t count = count_of(node);
#pragma omp parallel for if (count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += BLOCK) {
        real d1[BLOCK], d2[BLOCK], sum[BLOCK];
        const size_t n = block_length(i, count);
        slopes(node, i, n, d1, dx ? d2 : NULL);
        for (size_t j = 0; j < n; j++)
            sum[j] = dgy ? d1[j] * dgy[i + (int64_t)j] : 0;
        if (dx)
            for (size_t j = 0; j < n; j++)
                sum[j] += d2[j] * dx[i + (int64_t)j] * gy[i + (int64_t)j];
        real *restrict b = to + i;
        for (size_t j = 0; j < n; j++)
            b[j] = add ? b[j] + sum[j] : sum[j];
    }
}

const mfm_rule mfm_rule_pointwise = {pointwise_forward, pointwise_jvp, pointwise_vjp,
                                     pointwise_vjp_t};

/* ---- linear ---------------------------------------------------------------------------------- */

static void linear_forward(const mfm_node *node)
{
    ((const mfm_linear *)node->impl->parts)->apply(node, MFM_X);
}

static void linear_jvp(const mfm_node *node)
{
    ((const mfm_linear *)node->impl->parts)->apply(node, MFM_DX);
}

static void linear_vjp(const mfm_node *node)
{
    ((const mfm_linear *)node->impl->parts)->adjoint(node, MFM_G);
}

static void linear_vjp_t(const mfm_node *node)
{
    ((const mfm_linear *)node->impl->parts)->adjoint(node, MFM_DG);
}

const mfm_rule mfm_rule_linear = {linear_forward, linear_jvp, linear_vjp, linear_vjp_t};

/* ---- bilinear: y = a * b (+ c) --------------------------------------------------------------- */

/* y = a * b + c; c NULL is zero. */
static void product_and_bias(const mfm_node *node, const real *a, const real *b, const real *c,
                             real *y)
{
    const mfm_bilinear *f = node->impl->parts;
    if (c && f->product_bias) {
        f->product_bias(node, a, b, c, y);
        return;
    }
    f->product(node, a, b, y, false);
    if (c)
        f->bias(node, c, y, true);
}

/* Input 1 in lane X or DX: a matrix, factors, or the sum of both. */
typedef struct operand {
    const real *matrix;
    const mfm_factors *factors;
} operand;

static operand operand_b(const mfm_node *node, enum mfm_lane lane)
{
    const mfm_factors *factors = mfm_factors_of(node, 1, lane);
    return (operand){factors ? factors->base : mfm_in(node, 1, lane), factors};
}

/* y = [y +] a * b + c */
static void times(const mfm_node *node, const real *a, operand b, const real *c, real *y, bool add)
{
    const mfm_bilinear *f = node->impl->parts;
    if (b.matrix && add)
        f->product(node, a, b.matrix, y, true);
    else if (b.matrix)
        product_and_bias(node, a, b.matrix, c, y);
    if (b.factors)
        mfm_factors_product(node, a, b.factors, y, add || b.matrix);
    if (c && (add || !b.matrix))
        f->bias(node, c, y, true);
}

/* ga = [ga +] g against b */
static void against(const mfm_node *node, const real *g, operand b, real *ga, bool add)
{
    const mfm_bilinear *f = node->impl->parts;
    if (b.matrix)
        f->adjoint_a(node, g, b.matrix, ga, add);
    if (b.factors)
        mfm_factors_adjoint(node, g, b.factors, ga, add || b.matrix);
}

static void bilinear_forward(const mfm_node *node)
{
    times(node, mfm_in(node, 0, MFM_X), operand_b(node, MFM_X), mfm_in(node, 2, MFM_X),
          mfm_out(node, 0, MFM_X), false);
}

/* y' = a' * b + a * b' (+ c') */
static void bilinear_jvp(const mfm_node *node)
{
    const mfm_bilinear *f = node->impl->parts;
    real *y = mfm_out(node, 0, MFM_DX);
    const real *a = mfm_in(node, 0, MFM_X), *da = mfm_in(node, 0, MFM_DX);
    const real *dc = mfm_in(node, 2, MFM_DX);
    const operand b = operand_b(node, MFM_X), db = operand_b(node, MFM_DX);
    const bool along_b = db.matrix || db.factors;
    if (!da && !along_b)
        f->bias(node, dc, y, false);
    if (da && db.matrix && !dc && f->product_pair && !b.factors && !db.factors) {
        f->product_pair(node, da, b.matrix, a, db.matrix, y);
        return;
    }
    if (da)
        times(node, da, b, dc, y, false);
    if (along_b)
        times(node, a, db, da ? NULL : dc, y, da != NULL);
}

static void bilinear_vjp(const mfm_node *node)
{
    const mfm_bilinear *f = node->impl->parts;
    const mfm_factors *factors = mfm_factors_of(node, 1, MFM_G);
    const real *g = mfm_out(node, 0, MFM_G), *a = mfm_in(node, 0, MFM_X);
    real *ga = mfm_in(node, 0, MFM_G), *gb = mfm_in(node, 1, MFM_G), *gc = mfm_in(node, 2, MFM_G);
    if (ga)
        against(node, g, operand_b(node, MFM_X), ga, mfm_accumulates(node, 0, MFM_G));
    if (factors)
        mfm_factors_take(node, g, a, factors);
    else if (gb)
        f->adjoint_b(node, g, a, gb, mfm_accumulates(node, 1, MFM_G));
    if (gc)
        f->adjoint_bias(node, g, gc, mfm_accumulates(node, 2, MFM_G));
}

static void set_zero(real *to, const mfm_tensor *tensor)
{
    const int64_t count = mfm_shape_count(&tensor->shape);
    for (int64_t i = 0; i < count; i++)
        to[i] = 0;
}

/* ga' = g' against b + g against b'; zero when neither term is there. */
static void adjoint_tangent_a(const mfm_node *node)
{
    real *to = mfm_in(node, 0, MFM_DG);
    if (!to)
        return;
    const real *g = mfm_out(node, 0, MFM_G), *dg = mfm_out(node, 0, MFM_DG);
    const operand db = operand_b(node, MFM_DX);
    bool add = mfm_accumulates(node, 0, MFM_DG);
    if (dg) {
        against(node, dg, operand_b(node, MFM_X), to, add);
        add = true;
    }
    if (g && (db.matrix || db.factors)) {
        against(node, g, db, to, add);
        add = true;
    }
    if (!add)
        set_zero(to, node->in[0]);
}

/* gb' = g' against a + g against a', the same. */
static void adjoint_tangent_b(const mfm_node *node)
{
    const mfm_bilinear *f = node->impl->parts;
    real *to = mfm_in(node, 1, MFM_DG);
    if (!to)
        return;
    const real *g = mfm_out(node, 0, MFM_G), *dg = mfm_out(node, 0, MFM_DG);
    const real *da = mfm_in(node, 0, MFM_DX);
    bool add = mfm_accumulates(node, 1, MFM_DG);
    if (dg) {
        f->adjoint_b(node, dg, mfm_in(node, 0, MFM_X), to, add);
        add = true;
    }
    if (g && da) {
        f->adjoint_b(node, g, da, to, add);
        add = true;
    }
    if (!add)
        set_zero(to, node->in[1]);
}

static void bilinear_vjp_t(const mfm_node *node)
{
    const mfm_bilinear *f = node->impl->parts;
    adjoint_tangent_a(node);
    adjoint_tangent_b(node);
    real *to = mfm_in(node, 2, MFM_DG);
    const real *dg = mfm_out(node, 0, MFM_DG);
    const bool add = to && mfm_accumulates(node, 2, MFM_DG);
    if (to && dg)
        f->adjoint_bias(node, dg, to, add);
    else if (to && !add)
        set_zero(to, node->in[2]);
}

const mfm_rule mfm_rule_bilinear = {bilinear_forward, bilinear_jvp, bilinear_vjp, bilinear_vjp_t};
