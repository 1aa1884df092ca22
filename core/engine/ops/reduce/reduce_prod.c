/*
 * ReduceProd (ONNX 1, 11, 13, 18): the product over some axes. The slope by x_i is the product of
 * the others, u_i v_i with u_i = x_0 ... x_{i-1} and v_i = x_{i+1} ... : no number is divided by,
 * so that zeros do no harm. Its tangent is u_i' v_i + u_i v_i', and jvp    y'   = u_n' vjp    gx_i
 * = u_i v_i g vjp_t  gx_i' = u_i v_i g' + (u_i' v_i + u_i v_i') g u and u' of one result are in
 * scratch.
 */
#include "core/engine/kernels/nest.h"
#include "core/engine/ops/reduce/reduction.h"

enum { X, Y };

typedef struct factors {
    mfm_nest kept, reduced;
    int64_t results, terms;
    int64_t first, result; /* of the current result: its first number, itself */
} factors;

static factors factors_of(const mfm_node *node)
{
    const mfm_shape *shape = &node->in[0]->shape;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    bool reduced[MFM_MAX_RANK];
    factors f = {0};
    mfm_reduction_mark(node, reduced);
    f.terms = mfm_reduction_strides(node, x, y);
    for (int i = 0; i < shape->rank; i++)
        mfm_nest_push(reduced[i] ? &f.reduced : &f.kept, shape->dim[i], x[i], y[i], 0);
    f.results = mfm_nest_count(&f.kept);
    return f;
}

static void go_to(factors *f, int64_t result)
{
    int64_t at[MFM_NEST_OPERANDS] = {0};
    mfm_nest_seek(&f->kept, f->kept.rank, result, at);
    f->first = at[X];
    f->result = at[Y];
}

static int64_t place(const factors *f, int64_t term)
{
    int64_t at[MFM_NEST_OPERANDS] = {f->first};
    mfm_nest_seek(&f->reduced, f->reduced.rank, term, at);
    return at[X];
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->scratch_size = 2 * (size_t)factors_of(node).terms;
    return MFM_OK;
}

/* u and, unless dx is NULL, u' into scratch. Returns the product; *tangent gets its own. */
static real products_before(const factors *f, const mfm_node *node, const real *dx, real *tangent)
{
    const real *x = mfm_in(node, 0, MFM_X);
    real *u = node->scratch, *du = u + f->terms;
    real product = 1, change = 0;
    for (int64_t i = 0; i < f->terms; i++) {
        const int64_t at = place(f, i);
        u[i] = product;
        du[i] = change;
        change = change * x[at] + (dx ? product * dx[at] : 0);
        product *= x[at];
    }
    *tangent = change;
    return product;
}

static void forward(const mfm_node *node)
{
    factors f = factors_of(node);
    for (int64_t r = 0; r < f.results; r++) {
        real tangent;
        go_to(&f, r);
        mfm_out(node, 0, MFM_X)[f.result] = products_before(&f, node, NULL, &tangent);
    }
}

static void jvp(const mfm_node *node)
{
    factors f = factors_of(node);
    for (int64_t r = 0; r < f.results; r++) {
        go_to(&f, r);
        products_before(&f, node, mfm_in(node, 0, MFM_DX), &mfm_out(node, 0, MFM_DX)[f.result]);
    }
}

/* Lane G or DG of the numbers of one result: slope times `along`, its tangent times `across`. */
static void give(const factors *f, const mfm_node *node, enum mfm_lane lane, const real *dx,
                 real along, real across)
{
    const real *x = mfm_in(node, 0, MFM_X), *u = node->scratch, *du = u + f->terms;
    real *to = mfm_in(node, 0, lane);
    const bool add = mfm_accumulates(node, 0, lane);
    real v = 1, dv = 0, tangent;
    products_before(f, node, dx, &tangent);
    for (int64_t i = f->terms - 1; i >= 0; i--) {
        const int64_t at = place(f, i);
        const real sum = u[i] * v * along + (du[i] * v + u[i] * dv) * across;
        to[at] = (add ? to[at] : 0) + sum;
        dv = dv * x[at] + (dx ? v * dx[at] : 0);
        v *= x[at];
    }
}

static void vjp(const mfm_node *node)
{
    factors f = factors_of(node);
    for (int64_t r = 0; r < f.results && mfm_in(node, 0, MFM_G); r++) {
        go_to(&f, r);
        give(&f, node, MFM_G, NULL, mfm_out(node, 0, MFM_G)[f.result], 0);
    }
}

static void vjp_t(const mfm_node *node)
{
    factors f = factors_of(node);
    const real *g = mfm_out(node, 0, MFM_G), *dg = mfm_out(node, 0, MFM_DG);
    for (int64_t r = 0; r < f.results && mfm_in(node, 0, MFM_DG); r++) {
        go_to(&f, r);
        give(&f, node, MFM_DG, mfm_in(node, 0, MFM_DX), dg ? dg[f.result] : 0, g ? g[f.result] : 0);
    }
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};

static const char *const samples[] = {"[2,3,4,5] axes=2,3",
                                      "[2,3,4,5] axes=2,3 keepdims=0",
                                      "[2,3,4,5] axes=1 keepdims=0",
                                      "[2,3,4]",
                                      "[2,3,2,2,2] axes=0,2",
                                      "[2,1,1,1] axes=2,3",
                                      "[2,3] axes=1 opset=1",
                                      "[2,3] noop_with_empty_axes=1",
                                      NULL};

const mfm_op mfm_op_reduce_prod = {
    .name = "ReduceProd",
    .domain = "",
    .since = 1,
    .inputs = mfm_reduction_inputs,
    .outputs = mfm_reduction_outputs,
    .attrs = mfm_reduction_attrs_18,
    .attr_size = sizeof(mfm_reduction_attr),
    .shape = mfm_reduction_infer,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "product over some axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_reduce_prod = {
    .op = &mfm_op_reduce_prod,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
