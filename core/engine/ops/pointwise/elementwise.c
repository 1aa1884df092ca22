#include "core/engine/ops/pointwise/elementwise.h"

#include "core/engine/kernels/broadcast.h"

int mfm_infer_broadcast(mfm_ctx *ctx, mfm_node *node)
{
    mfm_shape full = node->in[0]->shape;
    for (int i = 1; i < node->n_in; i++) {
        const mfm_shape *shape = &node->in[i]->shape;
        if (!mfm_broadcast_shape(&full, shape, &full)) {
            char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
            return mfm_infer_fail(ctx, node,
                                  "shapes %s and %s: aligned at the last axis, lengths must be "
                                  "equal or 1",
                                  mfm_shape_text(&full, a), mfm_shape_text(shape, b));
        }
    }
    node->out[0]->shape = full;
    return MFM_OK;
}

int mfm_infer_broadcast_from_8(mfm_ctx *ctx, mfm_node *node)
{
    for (int i = 1; i < node->n_in && node->opset < 8; i++)
        if (!mfm_shape_equal(&node->in[i]->shape, &node->in[0]->shape))
            return mfm_infer_fail(ctx, node,
                                  "input %d: shapes must be equal before opset 8 (this is %d)", i,
                                  node->opset);
    return mfm_infer_broadcast(ctx, node);
}

uint32_t mfm_sum_hands_back(const mfm_node *node)
{
    uint32_t set = 0;
    for (int i = 0; i < node->n_in && i < 32; i++)
        if (!mfm_broadcast_stretches(&node->in[i]->shape, &node->out[0]->shape))
            set |= 1u << i;
    return set;
}
