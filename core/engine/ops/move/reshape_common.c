#include "core/engine/ops/move/reshape_common.h"

#include "core/engine/kernels/strided.h"

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_reshape_copy(&node->in[0]->shape, mfm_in(node, 0, lane), &node->out[0]->shape,
                     mfm_out(node, 0, lane), false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (to)
        mfm_reshape_copy(&node->out[0]->shape, mfm_out(node, 0, lane), &node->in[0]->shape, to,
                         mfm_accumulates(node, 0, lane));
}

bool mfm_reshape_is_view(const mfm_node *node)
{
    return mfm_reshape_is_plain(&node->in[0]->shape, &node->out[0]->shape);
}

const mfm_linear mfm_linear_reshape = {apply, adjoint};
