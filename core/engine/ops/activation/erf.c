/* Erf (ONNX 9, 13): y = erf(x) = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
 *     f' = 2 / sqrt(pi) exp(-x^2)        f'' = -2 x f' */
#include "core/engine/kernels/vec_math.h"
#include "core/engine/rules.h"

static const double TWO_BY_ROOT_PI = 1.1283791670955126;

static void value(const void *attr, size_t n, const real *x, real *y)
{
    (void)attr;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = mfm_vec_erf(x[i]);
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)attr;
    (void)y;
    const real factor = (real)TWO_BY_ROOT_PI;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        d1[i] = factor * mfm_vec_exp(-x[i] * x[i]);
    for (size_t i = 0; d2 && i < n; i++)
        d2[i] = -2 * x[i] * d1[i];
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7] opset=9", "[1]", "[]", NULL};

const mfm_op mfm_op_erf = {
    .name = "Erf",
    .domain = "",
    .since = 9,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "error function",
    .samples = samples,
};

const mfm_impl mfm_cpu_erf = {
    .op = &mfm_op_erf,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
