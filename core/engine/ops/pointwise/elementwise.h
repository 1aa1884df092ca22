/* Shape inference of the operators with broadcasting (Add, Mul, Pow, Max, ...). */
#ifndef MFM_ELEMENTWISE_H
#define MFM_ELEMENTWISE_H

#include "core/engine/op.h"

/* out[0] has the common shape of all inputs. */
int mfm_infer_broadcast(mfm_ctx *ctx, mfm_node *node);
/* The same, for operators that broadcast from opset 8 on: before, all shapes must be equal. */
int mfm_infer_broadcast_from_8(mfm_ctx *ctx, mfm_node *node);
/* Of a sum (mfm_impl.hands_back): the inputs that are not broadcast and lie as the result does. */
uint32_t mfm_sum_hands_back(const mfm_node *node);

#endif
