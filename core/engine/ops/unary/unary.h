/*
 * Operators y = f(x) of one number: a file writes f, f' and f'' for a single number, as inline
 * functions of the attributes and of x (or, where that is less work, of y), and one of these macros
 * makes vector loops of them, `parts` for mfm_rule_pointwise.
 */
#ifndef MFM_UNARY_H
#define MFM_UNARY_H

#include <tgmath.h>

#include "core/engine/rules.h"

#define MFM_UNARY_VALUE(f)                                                                         \
    static void value(const void *attr, size_t n, const real *x, real *y)                          \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = f(attr, x[i]);                                                                  \
    }

#define MFM_UNARY_SLOPES(first, second, from)                                                      \
    static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1,         \
                       real *d2)                                                                   \
    {                                                                                              \
        (void)x, (void)y;                                                                          \
        for (size_t i = 0; i < n; i++)                                                             \
            d1[i] = first(attr, from[i]);                                                          \
        for (size_t i = 0; d2 && i < n; i++)                                                       \
            d2[i] = second(attr, from[i]);                                                         \
    }                                                                                              \
    static const mfm_pointwise parts = {value, slopes};

/* f' and f'' of x: the implementation says MFM_READS_IN. */
#define MFM_UNARY_OF_X(f, first, second) MFM_UNARY_VALUE(f) MFM_UNARY_SLOPES(first, second, x)
/* f' and f'' of y: it says MFM_READS_OUT. */
#define MFM_UNARY_OF_Y(f, first, second) MFM_UNARY_VALUE(f) MFM_UNARY_SLOPES(first, second, y)

/* A step function, whose derivative is zero wherever it has one: it says MFM_READS_NONE. */
#define MFM_UNARY_STEPS(f)                                                                         \
    MFM_UNARY_VALUE(f) static const mfm_pointwise parts = {value, mfm_unary_no_slopes};
void mfm_unary_no_slopes(const void *attr, size_t n, const real *x, const real *y, real *d1,
                         real *d2);

/* f'' of what is linear piece by piece. */
static inline real mfm_unary_straight(const void *attr, real x)
{
    (void)attr, (void)x;
    return 0;
}

/* Ports by their names in ONNX: X to Y, or input to output. */
extern const mfm_port mfm_unary_x[], mfm_unary_y[], mfm_unary_input[], mfm_unary_output[];

#endif
