/* Shape inference of the operators with broadcasting (Add, Sub, Mul, Div, Sum). */
#ifndef MFM_ELEMENTWISE_H
#define MFM_ELEMENTWISE_H

#include "core/engine/op.h"

/* out[0] has the common shape of all inputs. */
int mfm_infer_broadcast(mfm_ctx *ctx, mfm_node *node);

#endif
