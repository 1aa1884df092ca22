/* The largest number over some axes, or the smallest: ReduceMax and ReduceMin. */
#ifndef MFM_EXTREME_H
#define MFM_EXTREME_H

#include "core/engine/ops/reduce/reduction.h"

/* At most so many numbers for one result: its place among them is kept as a real. */
#define MFM_EXTREME_MOST ((int64_t)1 << 24)
int mfm_extreme_infer(mfm_ctx *ctx, mfm_node *node);
int mfm_extreme_setup(mfm_ctx *ctx, mfm_node *node);
/* y = the largest number (sign 1), the smallest (sign -1), NaN where one is; place, NULL or like y:
 * which it is, in row-major order over the reduced axes, the first of equal ones. */
void mfm_extreme_find(const mfm_node *node, real sign, real *y, real *place);
/* y = x at the saved places; x = [x +] y there, and 0 elsewhere. */
void mfm_extreme_take(const mfm_node *node, enum mfm_lane lane);
void mfm_extreme_give(const mfm_node *node, enum mfm_lane lane);

#endif
