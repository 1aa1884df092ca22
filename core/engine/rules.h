/*
 * Generic differentiation rules: an implementation that fits one gives its ingredients as `parts`
 * and writes no derivative passes.
 */
#ifndef MFM_RULES_H
#define MFM_RULES_H

#include "core/engine/factors.h"
#include "core/engine/impl.h"

/* y_i = f(x_i). Both work on a block of n elements, so that loops vectorise. slopes writes
 * d1 = f'(x) and, unless d2 is NULL, d2 = f''(x); it may read x only if the implementation says
 * MFM_READS_IN, y only if it says MFM_READS_OUT (the other pointer may be NULL). Of a linear
 * operator, whose f'' is zero but at kinks (Relu, Clip), slopes is never asked for d2. */
typedef struct mfm_pointwise {
    void (*value)(const void *attr, size_t n, const real *x, real *y);
    void (*slopes)(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2);
} mfm_pointwise;
extern const mfm_rule mfm_rule_pointwise;

/* y = A(x_0, x_1, ...), linear in all inputs together. apply writes lane `lane` of the outputs from
 * the same lane of the inputs (NULL input lanes count as zero); adjoint writes or adds to lane
 * `lane` (G or DG) of every input that has it, from the outputs' (NULL: zero). */
typedef struct mfm_linear {
    void (*apply)(const mfm_node *node, enum mfm_lane lane);
    void (*adjoint)(const mfm_node *node, enum mfm_lane lane);
} mfm_linear;
extern const mfm_rule mfm_rule_linear;

/* y = a * b (+ c): bilinear in inputs 0 and 1, linear in the optional input 2. Each function adds
 * to its result when `add` is true and overwrites otherwise.
 *     product    y = a * b                adjoint_a  ga = g against b
 *     adjoint_b  gb = g against a         bias, adjoint_bias for input 2; NULL: none
 * product_bias, y = a * b + c in one sweep, overwrites; NULL: product, then bias.
 * product_pair, y = a1 * b1 + a2 * b2 in one sweep, overwrites; NULL: product twice.
 * outer: whether it is a matrix product y [m, n] = alpha a [m, k] b, a not transposed, so that b
 * may be given by factors (factors.h); NULL: it is none. */
typedef struct mfm_bilinear {
    void (*product)(const mfm_node *node, const real *a, const real *b, real *y, bool add);
    void (*adjoint_a)(const mfm_node *node, const real *g, const real *b, real *ga, bool add);
    void (*adjoint_b)(const mfm_node *node, const real *g, const real *a, real *gb, bool add);
    void (*bias)(const mfm_node *node, const real *c, real *y, bool add);
    void (*adjoint_bias)(const mfm_node *node, const real *g, real *gc, bool add);
    void (*product_bias)(const mfm_node *node, const real *a, const real *b, const real *c,
                         real *y);
    void (*product_pair)(const mfm_node *node, const real *a1, const real *b1, const real *a2,
                         const real *b2, real *y);
    bool (*outer)(const mfm_node *node, mfm_outer *sizes);
} mfm_bilinear;
extern const mfm_rule mfm_rule_bilinear;

#endif
