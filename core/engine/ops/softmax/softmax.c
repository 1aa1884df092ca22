/*
 * Softmax (ONNX 13): y = exp(x) / sum exp(x) along the axis.
 *
 * The Jacobian is symmetric, J v = y (v - <y, v>), and depends on the output alone:
 *     jvp    y'  = y (x' - <y, x'>)
 *     vjp    gx  = y (g - <y, g>)
 *     vjp_t  gx' = y (g' - <y, g'>) + y' (g - <y, g>) - y <y', g>
 * with y' the output's tangent. Every pass of a run reads the whole run before it writes.
 */
#include "core/engine/ops/softmax/softmax_axis.h"

#include "core/engine/kernels/vec_math.h"

#define INLINE static inline __attribute__((always_inline))

/* sum of a b over a run of n elements at distance s. */
INLINE real dot(int64_t n, int64_t s, const real *a, const real *b)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; k++)
        sum += a[k * s] * b[k * s];
    return sum;
}

/* A NaN anywhere, +inf, or nothing but -inf: the differences to the largest have a NaN, and so the
 * sum; the whole run is NaN. */
INLINE void forward_run(int64_t n, int64_t s, const real *x, real *y)
{
    real top = n ? x[0] : 0, sum = 0;
#pragma omp simd reduction(max : top)
    for (int64_t k = 1; k < n; k++)
        top = x[k * s] > top ? x[k * s] : top;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; k++) {
        const real e = mfm_vec_exp_or_0(x[k * s] - top);
        y[k * s] = e;
        sum += e;
    }
#pragma omp simd
    for (int64_t k = 0; k < n; k++)
        y[k * s] /= sum;
}

static void forward(const mfm_node *node)
{
    const mfm_runs v = mfm_softmax_runs(node);
    const real *x = mfm_in(node, 0, MFM_X);
    real *y = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (mfm_softmax_is_large(&v))
    for (int64_t r = 0; r < v.runs; r++) {
        const int64_t at = mfm_run_start(&v, r);
        if (v.inner == 1)
            forward_run(v.length, 1, x + at, y + at);
        else
            forward_run(v.length, v.inner, x + at, y + at);
    }
}

INLINE void multiply_run(int64_t n, int64_t s, const real *y, const real *u, real *w, bool add)
{
    const real mean = dot(n, s, y, u);
    if (add)
#pragma omp simd
        for (int64_t k = 0; k < n; k++)
            w[k * s] = w[k * s] + y[k * s] * (u[k * s] - mean);
    else
#pragma omp simd
        for (int64_t k = 0; k < n; k++)
            w[k * s] = y[k * s] * (u[k * s] - mean);
}

/* to = [to +] J from */
static void multiply(const mfm_node *node, const real *from, real *to, bool add)
{
    const mfm_runs v = mfm_softmax_runs(node);
    const real *out = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (mfm_softmax_is_large(&v))
    for (int64_t r = 0; r < v.runs; r++) {
        const int64_t at = mfm_run_start(&v, r);
        if (v.inner == 1)
            multiply_run(v.length, 1, out + at, from + at, to + at, add);
        else
            multiply_run(v.length, v.inner, out + at, from + at, to + at, add);
    }
}

static void jvp(const mfm_node *node)
{
    multiply(node, mfm_in(node, 0, MFM_DX), mfm_out(node, 0, MFM_DX), false);
}

static void vjp(const mfm_node *node)
{
    real *to = mfm_in(node, 0, MFM_G);
    if (to)
        multiply(node, mfm_out(node, 0, MFM_G), to, mfm_accumulates(node, 0, MFM_G));
}

INLINE void tangent_run(int64_t n, int64_t s, const real *y, const real *dy, const real *u, real *w,
                        bool add)
{
    const real mean = dot(n, s, y, u), drift = dot(n, s, dy, u);
    if (add)
#pragma omp simd
        for (int64_t k = 0; k < n; k++)
            w[k * s] = w[k * s] + dy[k * s] * (u[k * s] - mean) - y[k * s] * drift;
    else
#pragma omp simd
        for (int64_t k = 0; k < n; k++)
            w[k * s] = dy[k * s] * (u[k * s] - mean) - y[k * s] * drift;
}

/* to = [to +] y' (g - <y, g>) - y <y', g> */
static void multiply_tangent(const mfm_node *node, const real *tangent, const real *g, real *to,
                             bool add)
{
    const mfm_runs v = mfm_softmax_runs(node);
    const real *out = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (mfm_softmax_is_large(&v))
    for (int64_t r = 0; r < v.runs; r++) {
        const int64_t at = mfm_run_start(&v, r);
        if (v.inner == 1)
            tangent_run(v.length, 1, out + at, tangent + at, g + at, to + at, add);
        else
            tangent_run(v.length, v.inner, out + at, tangent + at, g + at, to + at, add);
    }
}

static void vjp_t(const mfm_node *node)
{
    mfm_softmax_vjp_t(node, multiply, multiply_tangent);
}

const mfm_rule mfm_rule_softmax = {forward, jvp, vjp, vjp_t};

const mfm_op mfm_op_softmax = {
    .name = "Softmax",
    .domain = "",
    .since = 13,
    .inputs = mfm_softmax_inputs,
    .outputs = mfm_softmax_outputs,
    .attrs = mfm_softmax_attrs,
    .attr_size = sizeof(mfm_softmax_attr),
    .shape = mfm_softmax_infer,
    .traits = MFM_SOFTMAX | MFM_PROBABILITIES | MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "exp(x) / sum exp(x) along one axis",
    .samples = mfm_softmax_samples,
};

const mfm_impl mfm_cpu_softmax = {
    .op = &mfm_op_softmax,
    .backend = MFM_CPU,
    .rule = &mfm_rule_softmax,
    .reads = MFM_READS_OUT,
};
