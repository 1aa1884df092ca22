/*
 * y_i = one of the inputs' numbers at i, with numpy's broadcasting (Max, Min, Where). forward keeps
 * in `saved`, [count] in the result's storage order, the slot of the input that gave each number.
 * With it the operator is linear: tangents are taken from that input, adjoints go to it alone.
 * An input that is stretched is written out in scratch.
 */
#ifndef MFM_SELECT_H
#define MFM_SELECT_H

#include "core/engine/rules.h"

int mfm_select_setup(mfm_ctx *ctx, mfm_node *node);
/* X of an input in full; the next call may overwrite it. */
const real *mfm_select_full(const mfm_node *node, int slot);
/* Lanes of the output from the chosen inputs, of differentiated inputs from the output. */
void mfm_select_take(const mfm_node *node, enum mfm_lane lane);
void mfm_select_give(const mfm_node *node, enum mfm_lane lane);

/* Forward of Max (sign 1) and Min (sign -1): of equal numbers the first input's is chosen; where
 * one of them is NaN, so is the result. */
void mfm_select_extreme(const mfm_node *node, real sign);

#endif
