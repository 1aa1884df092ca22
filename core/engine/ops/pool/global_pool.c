#include "core/engine/ops/pool/global_pool.h"

int64_t mfm_global_pool_area(const mfm_shape *x)
{
    int64_t area = 1;
    for (int i = 2; i < x->rank; i++)
        area *= x->dim[i];
    return area;
}

int mfm_infer_global_pool(mfm_ctx *ctx, mfm_node *node)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *x = &node->in[0]->shape;
    mfm_shape *y = &node->out[0]->shape;
    if (x->rank < 3)
        return mfm_infer_fail(ctx, node, "input %s: must have axes after the channels",
                              mfm_shape_text(x, text));
    *y = *x;
    for (int i = 0; i < x->rank; i++) {
        if (x->dim[i] < 1)
            return mfm_infer_fail(ctx, node, "input %s: must not be empty",
                                  mfm_shape_text(x, text));
        if (i >= 2)
            y->dim[i] = 1;
    }
    return MFM_OK;
}
