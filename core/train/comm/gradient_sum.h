/*
 * The sum over all ranks of a gradient of the parameters, begun part by part while the sweep that
 * makes it still goes on: what later layers give is under way while earlier ones are computed.
 *
 * A backward sweep comes to a parameter's first node last; then nothing is added to its gradient
 * any more. Parameters that lie one after the other make up a part, which is begun when that holds
 * for all of them. Each number is added along the same tree as in one sum of the whole vector.
 */
#ifndef MFM_GRADIENT_SUM_H
#define MFM_GRADIENT_SUM_H

#include "core/base/linkage.h"
#include "core/engine/plan/plan.h"
#include "core/train/comm/comm.h"

MFM_C_BEGIN

typedef struct mfm_gradient_sum mfm_gradient_sum;

/* For sweeps over the graph. at: [n_values] where the vector has the gradient of a parameter, in
 * their order, or MFM_NO_ROOM for one that is left out (core/engine/param_room.h); NULL: all, where
 * the graph has them. Both are only read here. comm NULL: *sum is NULL, which mfm_gradient_sum_run
 * takes. */
int mfm_gradient_sum_new(mfm_ctx *ctx, mfm_comm *comm, const mfm_graph *graph, const size_t *at,
                         mfm_gradient_sum **sum);
void mfm_gradient_sum_free(mfm_gradient_sum *sum);
/* Runs a VJP pass of a plan over the graph that writes G of parameters to the vector: that of this
 * rank's samples becomes that of all. */
void mfm_gradient_sum_run(mfm_gradient_sum *sum, mfm_plan *plan, int pass, real *vector);

MFM_C_END

#endif
