/*
 * LogSoftmax (ONNX 13): y = x - log(sum exp(x)) along the axis.
 *
 * With p = exp(y), the softmax, and 1 the all-ones vector of a run, J = I - 1 p^T:
 *     jvp    y'  = x' - <p, x'>
 *     vjp    gx  = g - p <1, g>
 *     vjp_t  gx' = g' - p <1, g'> - p' <1, g>,   p' = p y'
 * with y' the output's tangent.
 */
#include "core/engine/ops/softmax/softmax_axis.h"

#include <tgmath.h>

static void forward_run(int64_t n, int64_t s, const real *x, real *y)
{
    real top = n ? x[0] : 0;
    for (int64_t k = 1; k < n; k++)
        top = x[k * s] > top ? x[k * s] : top;
    real sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += exp(x[k * s] - top);
    const real log_sum = log(sum);
    for (int64_t k = 0; k < n; k++)
        y[k * s] = x[k * s] - top - log_sum;
}

static void forward(const mfm_node *node)
{
    const mfm_runs v = mfm_softmax_runs(node);
    const real *x = mfm_in(node, 0, MFM_X);
    real *y = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (mfm_softmax_is_large(&v))
    for (int64_t r = 0; r < v.runs; r++) {
        const int64_t at = mfm_run_start(&v, r);
        forward_run(v.length, v.inner, x + at, y + at);
    }
}

static void jvp(const mfm_node *node)
{
    const mfm_runs v = mfm_softmax_runs(node);
    const real *out = mfm_out(node, 0, MFM_X), *from = mfm_in(node, 0, MFM_DX);
    real *to = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (mfm_softmax_is_large(&v))
    for (int64_t r = 0; r < v.runs; r++) {
        const int64_t at = mfm_run_start(&v, r), s = v.inner;
        const real *y = out + at, *dx = from + at;
        real mean = 0;
        for (int64_t k = 0; k < v.length; k++)
            mean += exp(y[k * s]) * dx[k * s];
        for (int64_t k = 0; k < v.length; k++)
            to[at + k * s] = dx[k * s] - mean;
    }
}

static real sum_of(int64_t n, int64_t s, const real *a)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; k++)
        sum += a[k * s];
    return sum;
}

/* to = [to +] g - p <1, g> */
static void pull(const mfm_node *node, const real *g, real *to, bool add)
{
    const mfm_runs v = mfm_softmax_runs(node);
    const real *out = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (mfm_softmax_is_large(&v))
    for (int64_t r = 0; r < v.runs; r++) {
        const int64_t at = mfm_run_start(&v, r), s = v.inner;
        const real *y = out + at, *u = g + at;
        real *w = to + at;
        const real sum = sum_of(v.length, s, u);
        for (int64_t k = 0; k < v.length; k++)
            w[k * s] = (add ? w[k * s] : 0) + u[k * s] - exp(y[k * s]) * sum;
    }
}

static void vjp(const mfm_node *node)
{
    real *to = mfm_in(node, 0, MFM_G);
    if (to)
        pull(node, mfm_out(node, 0, MFM_G), to, mfm_accumulates(node, 0, MFM_G));
}

/* to = [to +] -p y' <1, g> */
static void pull_tangent(const mfm_node *node, const real *tangent, const real *g, real *to,
                         bool add)
{
    const mfm_runs v = mfm_softmax_runs(node);
    const real *out = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (mfm_softmax_is_large(&v))
    for (int64_t r = 0; r < v.runs; r++) {
        const int64_t at = mfm_run_start(&v, r), s = v.inner;
        const real *y = out + at, *dy = tangent + at;
        real *w = to + at;
        const real sum = sum_of(v.length, s, g + at);
        for (int64_t k = 0; k < v.length; k++)
            w[k * s] = (add ? w[k * s] : 0) - exp(y[k * s]) * dy[k * s] * sum;
    }
}

static void vjp_t(const mfm_node *node)
{
    mfm_softmax_vjp_t(node, pull, pull_tangent);
}

const mfm_rule mfm_rule_log_softmax = {forward, jvp, vjp, vjp_t};

const mfm_op mfm_op_log_softmax = {
    .name = "LogSoftmax",
    .domain = "",
    .since = 13,
    .inputs = mfm_softmax_inputs,
    .outputs = mfm_softmax_outputs,
    .attrs = mfm_softmax_attrs,
    .attr_size = sizeof(mfm_softmax_attr),
    .shape = mfm_softmax_infer,
    .traits = MFM_LOG_SOFTMAX | MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "x - log(sum exp(x)) along one axis",
    .samples = mfm_softmax_samples,
};

const mfm_impl mfm_cpu_log_softmax = {
    .op = &mfm_op_log_softmax,
    .backend = MFM_CPU,
    .rule = &mfm_rule_log_softmax,
    .reads = MFM_READS_OUT,
};
