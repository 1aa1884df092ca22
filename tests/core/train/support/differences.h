/*
 * The hypergradient against central differences of L_meta(w^(phi)), in double. The oracle moves phi
 * and runs the virtual step and the meta loss alone: first-order code that shares nothing with the
 * tangent sweep.
 */
#ifndef MFM_TESTS_TRAIN_DIFFERENCES_H
#define MFM_TESTS_TRAIN_DIFFERENCES_H

#include "tests/core/train/support/prepared.h"

/* What is checked. few_kinks: the network is so small that its Relus seldom switch within a step,
 * which makes it quicker. */
typedef struct difference_case {
    bool few_kinks;
    const bool *moved;     /* as in mfm_bilevel_spec */
    mfm_virtual_step step; /* alpha 0: 0.1 */
    enum mfm_bilevel_factors factors;
} difference_case;

enum { DIFFERENCE_BATCH = 5 }; /* of phi by rows each sample of the batch has one */

/* At phi moved by seed, on batches drawn by it: along the gradient, along each parameter's part of
 * it and along random directions, to a relative error of 1e-6. Leaves phi and p's running
 * statistics moved. */
void check_hypergradient(const prepared *p, const difference_case *what, uint64_t seed);

#endif
