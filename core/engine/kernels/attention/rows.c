#include "core/engine/kernels/attention/rows.h"

#include <math.h>

#include "core/engine/kernels/vec_math.h"

/* How long loops run; compilers see that it is a multiple of a vector. */
static int64_t length_of(const mfm_rows *b)
{
    return b->padded / MFM_VEC_LANES * MFM_VEC_LANES;
}

/* e^x for x <= 0; 0 from e^-87 down, NaN of NaN. */
static inline real power(real x)
{
    const real e = mfm_vec_exp(x);
    return x < -87 ? 0 : x == x ? e : x;
}

void mfm_rows_softmax(const mfm_rows *b, real *s, real *top, real *share)
{
    const int64_t length = length_of(b);
    for (int64_t r = 0; r < b->rows; r++) {
        real *at = s + r * b->padded, most = at[0], sum = 0;
        for (int64_t k = b->n; k < length; k++)
            at[k] = -(real)INFINITY;
#pragma omp simd reduction(max : most)
        for (int64_t k = 0; k < length; k++)
            most = at[k] > most ? at[k] : most;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < length; k++) {
            at[k] = power(at[k] - most);
            sum += at[k];
        }
        top[r] = most;
        share[r] = 1 / sum;
        const real of_row = share[r];
        for (int64_t k = 0; k < length; k++)
            at[k] *= of_row;
        for (int64_t k = b->n; k < length; k++) /* where a row is not a number */
            at[k] = 0;
    }
}

void mfm_rows_probabilities(const mfm_rows *b, real *s, const real *top, const real *share)
{
    const int64_t length = length_of(b);
    for (int64_t r = 0; r < b->rows; r++) {
        real *at = s + r * b->padded;
        const real most = top[r], of_row = share[r];
        for (int64_t k = 0; k < length; k++)
            at[k] = power(at[k] - most) * of_row;
        for (int64_t k = b->n; k < length; k++)
            at[k] = 0;
    }
}

static inline real dot(int64_t n, const real *a, const real *b)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

void mfm_rows_jacobian(const mfm_rows *b, const real *p, real *u)
{
    const int64_t length = length_of(b);
    for (int64_t r = 0; r < b->rows; r++, p += b->padded, u += b->padded) {
        const real mean = dot(length, p, u);
#pragma omp simd
        for (int64_t k = 0; k < length; k++)
            u[k] = p[k] * (u[k] - mean);
    }
}

void mfm_rows_jacobian_tangent(const mfm_rows *b, const real *p, const real *dp, real *g, real *h)
{
    const int64_t length = length_of(b);
    for (int64_t r = 0; r < b->rows; r++) {
        const real mean = dot(length, p, g), drift = dot(length, dp, g) + dot(length, p, h);
#pragma omp simd
        for (int64_t k = 0; k < length; k++) {
            const real over = g[k] - mean;
            h[k] = dp[k] * over + p[k] * (h[k] - drift);
            g[k] = p[k] * over;
        }
        p += b->padded;
        dp += b->padded;
        g += b->padded;
        h += b->padded;
    }
}

void mfm_rows_fill(const mfm_rows *b, mfm_strided mask, bool kept, real value, real *s)
{
    for (int64_t r = 0; r < b->rows; r++, s += b->padded) {
        const real *allowed = mask.at + r * mask.row;
        for (int64_t k = 0; k < b->n; k++)
            s[k] = (allowed[k * mask.column] != 0) == kept ? s[k] : value;
    }
}

void mfm_rows_add(const mfm_rows *b, real *s, mfm_strided from)
{
    for (int64_t r = 0; r < b->rows; r++, s += b->padded) {
        const real *x = from.at + r * from.row;
        if (from.column == 1)
            for (int64_t k = 0; k < b->n; k++)
                s[k] += x[k];
        else
            for (int64_t k = 0; k < b->n; k++)
                s[k] += x[k * from.column];
    }
}

void mfm_rows_add_to(const mfm_rows *b, const real *s, real *to, int64_t row, int64_t column)
{
    for (int64_t r = 0; r < b->rows; r++, s += b->padded) {
        real *x = to + r * row;
        if (column == 1)
            for (int64_t k = 0; k < b->n; k++)
                x[k] += s[k];
        else
            for (int64_t k = 0; k < b->n; k++)
                x[k * column] += s[k];
    }
}
