/*
 * The problem of a network with two branches (Zhou et al., "BBN: Bilateral-Branch Network with
 * Cumulative Learning for Long-Tailed Visual Recognition", CVPR 2020, section 4). A step has two
 * batches, one for each branch, and a share a:
 *
 *     z = FC(2 [a f_c(x_c) ; (1 - a) f_r(x_r)]),     L = a E(z, y_c) + (1 - a) E(z, y_r)
 *
 * with E the loss that was chosen. The plain path, which is evaluated and written, is z at a = 1/2
 * with one image for both: FC([f_c(x) ; f_r(x)]).
 */
#ifndef MFM_BRANCHES_H
#define MFM_BRANCHES_H

#include "core/train/problem/network.h"
#include "core/train/problem/problem.h"

/* Inputs of the main graph that only the objective reads. */
typedef struct mfm_branch_inputs {
    int images, labels; /* x_r and y_r; images -1: a frozen prefix alone has them */
    int share;          /* a, a scalar */
    int features; /* the first of what a frozen prefix makes of x_r, as many as it has outputs,
                     one after the other; -1: there is none */
} mfm_branch_inputs;

/* The classifier must read a Concat of two features, f_c first: MFM_EINVAL. */
int mfm_problem_of_branches(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                            mfm_problem **problem);
/* Of such a problem. */
mfm_branch_inputs mfm_problem_branch_inputs(const mfm_problem *problem);

#endif
