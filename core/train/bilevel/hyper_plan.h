/*
 * One hyper graph of a problem at what is at hand of a batch: makes h from phi, and brings adjoints
 * of h back to phi. Without a graph h is phi itself: rows picked by the images' indices, or rows of
 * the batch.
 */
#ifndef MFM_HYPER_PLAN_H
#define MFM_HYPER_PLAN_H

#include "core/data/batch.h"
#include "core/engine/plan/plan.h"
#include "core/train/problem/problem.h"

typedef struct mfm_hyper_plan mfm_hyper_plan;

/* frozen: adjoints are never brought back. The problem must outlive the result. */
int mfm_hyper_plan_new(mfm_ctx *ctx, const mfm_problem *problem, int hyper, const mfm_share *share,
                       bool frozen, mfm_hyper_plan **plan);
void mfm_hyper_plan_free(mfm_hyper_plan *plan);

/* Lets the hyper graph read where main writes, and main read h where it is written. */
void mfm_hyper_plan_connect(mfm_hyper_plan *plan, mfm_plan *main);
/* phi: laid out as the graph's parameters; without a graph, rows of `width`. */
void mfm_hyper_plan_bind(mfm_hyper_plan *plan, real *phi);

/* h = H(phi). Rows by index: rows[i] is the row of sample i, NULL for others. again: a second time
 * in a step, after backward. */
void mfm_hyper_plan_forward(mfm_hyper_plan *plan, const uint32_t *rows, bool again);
/* (dh/dphi)^T of the adjoints that lie in lane `lane` of main's inputs h: laid out as phi, or one
 * row for each sample at hand; the plan's own. */
real *mfm_hyper_plan_backward(mfm_hyper_plan *plan, mfm_plan *main, enum mfm_lane lane);

size_t mfm_hyper_plan_bytes(const mfm_hyper_plan *plan);

#endif
