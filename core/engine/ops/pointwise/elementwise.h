/* Shape inference of the operators with broadcasting (Add, Mul, Pow, Max, ...). */
#ifndef MFM_ELEMENTWISE_H
#define MFM_ELEMENTWISE_H

#include "core/engine/op.h"

/* out[0] has the common shape of all inputs. */
int mfm_infer_broadcast(mfm_ctx *ctx, mfm_node *node);
/* The same, for operators that broadcast from opset 8 on: before, all shapes must be equal. */
int mfm_infer_broadcast_from_8(mfm_ctx *ctx, mfm_node *node);

#endif
