/*
 * Functions whose loops become vector loops: in single precision, polynomials; in double precision,
 * which only checks derivatives, the C library's.
 */
#ifndef MFM_VEC_MATH_H
#define MFM_VEC_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/real.h"

#ifdef MFM_DOUBLE

static inline real mfm_vec_exp(real x)
{
    return exp(x);
}

static inline real mfm_vec_exp_or_0(real x)
{
    return exp(x);
}

static inline real mfm_vec_erf(real x)
{
    return erf(x);
}

#else

/* e^x for x <= 0, at least e^-87; relative error 1e-7. x = n ln 2 + r with |r| <= ln 2 / 2, and e^r
 * by its least-squares polynomial there, whose own error is 4e-9. */
static inline float mfm_vec_exp(float x)
{
    const float round = 12582912.0f; /* 1.5 2^23: what is added to it loses its fraction */
    x = x > -87 ? x : -87;
    const float n = (x * 1.44269504f + round) - round;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* ln 2 in two parts */
    float p = 0.00137462192f;
    p = p * r + 0.00837034737f;
    p = p * r + 0.0416697626f;
    p = p * r + 0.166665063f;
    p = p * r + 0.499999872f;
    p = (p * r * r + r) + 1;
    const int32_t bits = ((int32_t)n + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

/* e^x for any x <= 0, taken as 0 below e^-87; NaN for NaN. */
static inline float mfm_vec_exp_or_0(float x)
{
    const float e = mfm_vec_exp(x);
    return x < -87 ? 0 : x <= 0 ? e : NAN;
}

/* erf(x) = x P(x^2) / Q(x^2) on [-4, 4], fitted for the least relative error, 2e-9, and 4e-7 in
 * single precision. Beyond, erf is 1 to 2e-8. */
static inline float mfm_vec_erf(float x)
{
    x = x < -4 ? -4 : x > 4 ? 4 : x;
    const float t = x * x;
    float p = -1.3202028e-8f;
    p = p * t + 4.68473636e-6f;
    p = p * t + 3.79607478e-4f;
    p = p * t + 3.84961332e-3f;
    p = p * t + 0.0543168965f;
    p = p * t + 0.185203368f;
    p = p * t + 1.12837917f;
    float q = 6.31101917e-5f;
    q = q * t + 1.30756841e-3f;
    q = q * t + 0.015462088f;
    q = q * t + 0.113958446f;
    q = q * t + 0.497465625f;
    q = q * t + 1;
    const float y = x * p / q;
    return y < -1 ? -1 : y > 1 ? 1 : y;
}

#endif

/* 1 / (1 + e^-t), from e^-|t|, which never overflows. */
static inline real mfm_vec_sigmoid(real t)
{
    const real e = mfm_vec_exp(t < 0 ? t : -t);
    return (t < 0 ? e : 1) / (1 + e);
}

#endif
