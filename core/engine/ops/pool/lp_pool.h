/* LpPool and GlobalLpPool: y = (sum over the window of |x|^p)^(1/p). node->kernel is the window. */
#ifndef MFM_LP_POOL_H
#define MFM_LP_POOL_H

#include "core/engine/ops/images/window.h"

typedef struct mfm_lp_pool_attr {
    mfm_window_attr window;
    int64_t p;
} mfm_lp_pool_attr;

int mfm_lp_pool_check(mfm_ctx *ctx, const mfm_node *node);
/* Sizes of saved and scratch; the window is made. */
int mfm_lp_pool_sizes(mfm_node *node);
extern const mfm_rule mfm_rule_lp_pool;

#endif
