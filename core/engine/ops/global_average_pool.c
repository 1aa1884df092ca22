/* GlobalAveragePool (ONNX 1, 22): the mean over all axes after the channels, which stay with length
 * 1. The adjoint spreads g / area over them. */
#include "core/engine/kernels/broadcast.h"
#include "core/engine/ops/global_pool.h"
#include "core/engine/rules.h"

static real share(const mfm_node *node)
{
    return 1 / (real)mfm_global_pool_area(&node->in[0]->shape);
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_broadcast_reduce(&node->in[0]->shape, mfm_in(node, 0, lane), NULL, NULL, share(node),
                         &node->out[0]->shape, mfm_out(node, 0, lane), false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *gx = mfm_in(node, 0, lane);
    if (gx)
        mfm_broadcast_copy(&node->in[0]->shape, &node->out[0]->shape, mfm_out(node, 0, lane),
                           share(node), gx, mfm_accumulates(node, 0, lane));
}

static const mfm_linear impl = {apply, adjoint};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,4]", "[1,1,1,1]",   "[3,5,1,2]",
                                      "[2,3,7]",   "[2,2,3,2,2]", NULL};

const mfm_op mfm_op_global_average_pool = {
    .name = "GlobalAveragePool",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .infer = mfm_infer_global_pool,
    .rule = &mfm_rule_linear,
    .impl = &impl,
    .reads = MFM_READS_NONE,
    .summary = "mean of each channel",
    .samples = samples,
};
