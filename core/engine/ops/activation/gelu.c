/*
 * Gelu (ONNX 20): y = x F(x), with F the distribution of a standard normal number and f its
 * density, F = (1 + erf(x / sqrt(2))) / 2,     f = exp(-x^2 / 2) / sqrt(2 pi) y' = F + x f y'' = (2
 * - x^2) f or, with approximate = tanh, y = x (1 + t) / 2,                  t = tanh(u) u = k (x +
 * c x^3),                  k = sqrt(2 / pi), c = 0.044715 y' = (1 + t) / 2 + x t' / 2         t' =
 * (1 - t^2) u' y'' = t' + x t'' / 2                t'' = (1 - t^2) u'' - 2 t t' u'
 */
#include "core/engine/fusion.h"
#include "core/engine/kernels/vec_math.h"
#include "core/engine/rules.h"

typedef struct gelu_attr {
    int approximate;
} gelu_attr;

enum { EXACT, BY_TANH };

static const mfm_attr_def attrs[] = {{.name = "approximate",
                                      .type = MFM_CHOICE,
                                      .offset = offsetof(gelu_attr, approximate),
                                      .choices = "none|tanh"},
                                     {0}};

static const double ROOT_HALF = 0.70710678118654752, DENSITY_AT_0 = 0.39894228040143268;
static const double K = 0.79788456080286536, C = 0.044715;

static inline real distribution(real x)
{
    return (real)0.5 * (1 + mfm_vec_erf(x * (real)ROOT_HALF));
}

static inline real density(real x)
{
    return (real)DENSITY_AT_0 * mfm_vec_exp((real)-0.5 * x * x);
}

/* From e^-2|u|, which never overflows. */
static inline real tanh_of(real u)
{
    const real e = mfm_vec_exp(u < 0 ? 2 * u : -2 * u);
    const real t = (1 - e) / (1 + e);
    return u < 0 ? -t : t;
}

static inline real inner(real x)
{
    return (real)K * (x + (real)C * x * x * x);
}

static void value(const void *attr, size_t n, const real *x, real *y)
{
    if (((const gelu_attr *)attr)->approximate == EXACT) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] * distribution(x[i]);
    } else {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            y[i] = (real)0.5 * x[i] * (1 + tanh_of(inner(x[i])));
    }
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)y;
    if (((const gelu_attr *)attr)->approximate == EXACT) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            d1[i] = distribution(x[i]) + x[i] * density(x[i]);
        for (size_t i = 0; d2 && i < n; i++)
            d2[i] = (2 - x[i] * x[i]) * density(x[i]);
        return;
    }
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real t = tanh_of(inner(x[i])), du = (real)K * (1 + 3 * (real)C * x[i] * x[i]);
        d1[i] = (real)0.5 * (1 + t + x[i] * (1 - t * t) * du);
    }
    for (size_t i = 0; d2 && i < n; i++) {
        const real t = tanh_of(inner(x[i])), du = (real)K * (1 + 3 * (real)C * x[i] * x[i]);
        const real ddu = 6 * (real)(K * C) * x[i], dt = (1 - t * t) * du;
        d2[i] = dt + (real)0.5 * x[i] * ((1 - t * t) * ddu - 2 * t * dt * du);
    }
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]",
                                      "[4,7] approximate=none",
                                      "[9] approximate=tanh",
                                      "[2,3,2,2] approximate=tanh",
                                      "[]",
                                      NULL};

/* As exporters write it before there was a Gelu: with a division or a product, the cube as a power
 * or as products, and the half before, behind or within. */
#define HALF_BEHIND  "d = Mul X c; Y = Mul d half"
#define HALF_BEFORE  "d = Mul X half; Y = Mul d c"
#define HALF_WITHIN  "d = Mul c half; Y = Mul X d"
#define BY_QUOTIENT  "a = Div X root; b = Erf a; c = Add b one; "
#define BY_PRODUCT   "a = Mul X root; b = Erf a; c = Add b one; "
#define TANH_OF_CUBE "k = Mul p kappa; s = Add X k; u = Mul s beta; t = Tanh u; c = Add t one; "
#define BY_POWER     "p = Pow X three; " TANH_OF_CUBE
#define BY_PRODUCTS  "q = Mul X X; p = Mul X q; " TANH_OF_CUBE

static const char *const fuses[] = {BY_QUOTIENT HALF_BEHIND,
                                    BY_QUOTIENT HALF_BEFORE,
                                    BY_QUOTIENT HALF_WITHIN,
                                    BY_PRODUCT HALF_BEHIND,
                                    BY_PRODUCT HALF_BEFORE,
                                    BY_PRODUCT HALF_WITHIN,
                                    BY_POWER HALF_BEHIND,
                                    BY_POWER HALF_BEFORE,
                                    BY_POWER HALF_WITHIN,
                                    BY_PRODUCTS HALF_BEHIND,
                                    BY_PRODUCTS HALF_BEFORE,
                                    BY_PRODUCTS HALF_WITHIN,
                                    NULL};

static bool near(const mfm_fusion *chain, const char *name, double wanted, double distance)
{
    double number;
    return mfm_fusion_number(chain, name, &number) && fabs(number - wanted) <= distance;
}

/* The root is that of 2 where it divides, and of 1/2 where it multiplies. */
static bool fused(const mfm_fusion *chain, void *attr)
{
    const bool by_tanh = mfm_fusion_shape(chain, "t") != NULL;
    const bool by_power = by_tanh && mfm_fusion_is(chain, "p", "Pow");
    ((gelu_attr *)attr)->approximate = by_tanh ? BY_TANH : EXACT;
    if (!near(chain, "half", 0.5, 1e-5) || !near(chain, "one", 1, 1e-5))
        return false;
    if (by_tanh)
        return near(chain, "kappa", C, 1e-7) && near(chain, "beta", K, 1e-5) &&
               (!by_power || near(chain, "three", 3, 0));
    return near(chain, "root", mfm_fusion_is(chain, "a", "Div") ? 2 * ROOT_HALF : ROOT_HALF, 1e-5);
}

const mfm_op mfm_op_gelu = {
    .name = "Gelu",
    .domain = "",
    .since = 20,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(gelu_attr),
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .fuses = fuses,
    .fused = fused,
    .summary = "x times the normal distribution at x, or its approximation by tanh",
    .samples = samples,
};

const mfm_impl mfm_cpu_gelu = {
    .op = &mfm_op_gelu,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
