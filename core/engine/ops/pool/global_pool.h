/* What the two global poolings share: one number of each channel, whatever the axes after it. */
#ifndef MFM_GLOBAL_POOL_H
#define MFM_GLOBAL_POOL_H

#include "core/engine/impl.h"

/* Elements of one channel. */
int64_t mfm_global_pool_area(const mfm_shape *x);
/* out = [n, c, 1, ...] for [n, c, ...] without empty axes. */
int mfm_infer_global_pool(mfm_ctx *ctx, mfm_node *node);

#endif
