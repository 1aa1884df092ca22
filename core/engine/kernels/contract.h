/*
 * Sums of products of two strided operands over shared labels, as Einstein's notation has them:
 *     y[..] = [y +] sum over the labels that y lacks of a[..] b[..]
 * A label is a loop; an operand has a stride for each, 0 where it lacks it or is stretched along
 * it. Two labels may step through one axis together (a diagonal).
 *
 * Labels of y and one operand make the rows and columns of matrices, those of both operands alone
 * are summed, those of all three count products; so it is carried out as matrix products, by
 * mfm_gemm, over copies where an operand does not lie as that takes it. Labels of one operand alone
 * are summed while copying. Products too thin for matrices go element by element.
 */
#ifndef MFM_CONTRACT_H
#define MFM_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/engine/kernels/nest.h"

/* As many as a loop nest takes: two operands without a label in common. */
enum { MFM_CONTRACT_LABELS = MFM_NEST_AXES };

typedef struct mfm_contraction {
    int labels;
    int64_t dim[MFM_CONTRACT_LABELS]; /* each at least 1 */
    int64_t a[MFM_CONTRACT_LABELS], b[MFM_CONTRACT_LABELS], y[MFM_CONTRACT_LABELS]; /* strides */
} mfm_contraction;

/* Reals of room that it needs. */
size_t mfm_contract_scratch(const mfm_contraction *c);
/* Where `add` is false, what y's strides reach is overwritten. */
void mfm_contract(const mfm_contraction *c, const real *a, const real *b, real *y, bool add,
                  real *scratch);

#endif
