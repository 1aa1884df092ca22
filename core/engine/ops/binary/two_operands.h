/*
 * y = f(a, b), number by number, with numpy's broadcasting. With subscripts for partial
 * derivatives, and R_a the sum over the axes along which a was stretched (R_b likewise):
 *     jvp    y'  = f_a a' + f_b b'
 *     vjp    ga  = R_a f_a g                 gb  = R_b f_b g
 *     vjp_t  ga' = R_a [ f_a g' + (f_aa a' + f_ab b') g ]
 *            gb' = R_b [ f_b g' + (f_ab a' + f_bb b') g ]
 * An operand that is stretched is written out in scratch.
 */
#ifndef MFM_TWO_OPERANDS_H
#define MFM_TWO_OPERANDS_H

#include <tgmath.h>

#include "core/engine/rules.h"

typedef void mfm_of_two(const void *attr, size_t n, const real *a, const real *b, real *to);

/* Vector loops over n numbers. */
typedef struct mfm_two_operands {
    mfm_of_two *value;
    mfm_of_two *first[2];     /* f_a, f_b */
    mfm_of_two *second[2][2]; /* f_aa, f_ab; f_ab, f_bb; NULL: zero */
    /* The shape that input `slot` counts as; NULL: its own. */
    mfm_shape (*operand)(const mfm_node *node, int slot);
} mfm_two_operands;

/* The implementation says MFM_READS_IN and has this set-up. */
extern const mfm_rule mfm_rule_two_operands;
int mfm_two_operands_setup(mfm_ctx *ctx, mfm_node *node);

/* The loop of a function of two numbers. */
#define MFM_OF_TWO(name, function)                                                                 \
    static void name(const void *attr, size_t n, const real *a, const real *b, real *to)           \
    {                                                                                              \
        (void)attr;                                                                                \
        for (size_t i = 0; i < n; i++)                                                             \
            to[i] = function(a[i], b[i]);                                                          \
    }

#endif
