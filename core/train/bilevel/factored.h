/*
 * The matrices of a problem whose gradients a bilevel step keeps by factors
 * (core/engine/factors.h): of these neither w^ nor v is made. What is computed is the same; sums
 * are added in another order.
 *
 * A fully connected layer of many weights has fewer samples than rows or columns, and its products
 * wait for the weights: a step that reads w alone, and not g, w^ and v, is the faster for it.
 */
#ifndef MFM_FACTORED_H
#define MFM_FACTORED_H

#include "core/train/bilevel/bilevel.h"

typedef struct mfm_factored mfm_factored;

/* Of the plans over the training and the meta batch. *factored is NULL when there are none. */
int mfm_factored_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_bilevel_spec *spec,
                     mfm_plan *train, mfm_plan *meta, mfm_factored **factored);
void mfm_factored_free(mfm_factored *factored);
/* Whether a parameter is among them. NULL has none, and the functions below do nothing. */
bool mfm_factored_has(const mfm_factored *factored, int param);

/* From here on the training batch's VJP leaves factors, or, with false, a gradient again. */
void mfm_factored_take(mfm_factored *factored, bool on);
/* w^ = w - alpha R g, R the parameters' rates, by the factors that were left; with `moved` false
 * the meta batch reads w^ where it is bound. */
void mfm_factored_move(mfm_factored *factored, const real *w, double alpha, bool moved);
/* Exchanges what VJP of the meta batch left: v. */
void mfm_factored_direct(mfm_factored *factored);

size_t mfm_factored_count(const mfm_factored *factored);
size_t mfm_factored_bytes(const mfm_factored *factored);

#endif
