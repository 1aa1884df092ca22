/*
 * BatchNormalization (ONNX 1, 6, 7, 9, 14, 15) per channel, over x [n, c, ...]. The plan, not
 * the training_mode attribute, decides between the statistics of the batch and the running ones.
 * The second and further outputs, which only exports in training mode have, are not supported; the
 * running statistics are written by `update`:
 *     running = momentum running + (1 - momentum) batch,
 * with the population variance (divided by the numbers of a channel), as ONNX has it.
 */
#include "core/engine/ops/batch_norm/batch_norm.h"

#include <math.h>
#include <string.h>

const mfm_attr_def mfm_batch_norm_attrs[] = {MFM_BATCH_NORM_ATTRS, {0}};

int mfm_batch_norm_check_attributes(mfm_ctx *ctx, const mfm_node *node)
{
    const mfm_batch_norm_attr *attr = node->attr;
    if (!(attr->epsilon >= 0 && attr->epsilon < INFINITY))
        return mfm_infer_fail(ctx, node, "epsilon %g: must be finite and not negative",
                              attr->epsilon);
    if (!(attr->momentum >= 0 && attr->momentum <= 1))
        return mfm_infer_fail(ctx, node, "momentum %g: must be in [0, 1]", attr->momentum);
    if (attr->spatial != 1)
        return mfm_infer_fail(ctx, node,
                              "spatial %lld: only statistics per channel (1) are "
                              "supported",
                              (long long)attr->spatial);
    return MFM_OK;
}

int mfm_batch_norm_check_channels(mfm_ctx *ctx, const mfm_node *node, int64_t channels)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape per_channel = {.rank = 1, .dim = {channels}};
    for (int i = MFM_BN_SCALE; i <= MFM_BN_VARIANCE && i < node->n_in; i++)
        if (!mfm_shape_equal(&node->in[i]->shape, &per_channel))
            return mfm_infer_fail(ctx, node, "%s %s: must be one number for each of %lld channels",
                                  node->op->inputs[i].name,
                                  mfm_shape_text(&node->in[i]->shape, text), (long long)channels);
    return MFM_OK;
}

static int check_shapes(mfm_ctx *ctx, const mfm_node *node)
{
    const mfm_shape *x = &node->in[MFM_BN_INPUT]->shape;
    char text[MFM_SHAPE_TEXT];
    if (x->rank < 2 || mfm_shape_count(x) < 1)
        return mfm_infer_fail(ctx, node, "input %s: must be [n, c, ...] with elements",
                              mfm_shape_text(x, text));
    const int status = mfm_batch_norm_check_channels(ctx, node, x->dim[1]);
    if (status)
        return status;
    if (node->n_in > MFM_BN_SUMMAND && !mfm_shape_equal(&node->in[MFM_BN_SUMMAND]->shape, x))
        return mfm_infer_fail(ctx, node, "summand %s: must have the shape of the input",
                              mfm_shape_text(&node->in[MFM_BN_SUMMAND]->shape, text));
    return MFM_OK;
}

int mfm_batch_norm_infer(mfm_ctx *ctx, mfm_node *node)
{
    int status = mfm_batch_norm_check_attributes(ctx, node);
    if (!status)
        status = check_shapes(ctx, node);
    for (int i = 1; i < node->n_out && !status; i++)
        if (node->out[i])
            status = mfm_infer_fail(ctx, node, "output %s: is used: only the first output may be",
                                    node->op->outputs[i].name);
    if (status)
        return status;
    return mfm_infer_same(ctx, node);
}

int mfm_batch_norm_setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->saved_size = MFM_BN_SAVED * (size_t)mfm_batch_norm_size(node).channels;
    node->scratch_size = mfm_batch_norm_scratch(node);
    return MFM_OK;
}

bool mfm_batch_norm_fused(const mfm_fusion *chain, void *attr)
{
    const mfm_shape *summand = mfm_fusion_shape(chain, "summand");
    const int rank = mfm_fusion_shape(chain, "n")->rank;
    memcpy(attr, mfm_fusion_attr(chain, "n"), sizeof(mfm_batch_norm_attr));
    return (rank == 2 || rank == 4) &&
           (!summand || mfm_shape_equal(summand, mfm_fusion_shape(chain, "n")));
}

static void update_one(const mfm_node *node, int input, const real *batch)
{
    const real keep = (real)((const mfm_batch_norm_attr *)node->attr)->momentum;
    real *running = mfm_in(node, input, MFM_X);
    for (int64_t c = 0; c < node->in[input]->shape.dim[0]; c++)
        running[c] = keep * running[c] + (1 - keep) * batch[c];
}

void mfm_batch_norm_update(const mfm_node *node)
{
    if (!node->training)
        return;
    const int64_t channels = mfm_batch_norm_size(node).channels;
    update_one(node, MFM_BN_MEAN, node->saved + MFM_BN_SAVED_MEAN * channels);
    update_one(node, MFM_BN_VARIANCE, node->saved + MFM_BN_SAVED_VARIANCE * channels);
}

static const mfm_batch_norm_tail alone = {.summand = false, .relu = false};

static const mfm_port inputs[] = {MFM_BATCH_NORM_INPUTS, {0}};
static const mfm_port outputs[] = {
    {"Y", MFM_DATA, false, false},        {"mean", MFM_DATA, true, false},
    {"var", MFM_DATA, true, false},       {"saved_mean", MFM_DATA, true, false},
    {"saved_var", MFM_DATA, true, false}, {0}};
static const char *const samples[] = {"[4,3,2,3] [3] [3] [3] [3]+ @train",
                                      "[4,3,2,3] [3] [3] [3] [3]+",
                                      "[6,5] [5] [5] [5] [5]+ @train",
                                      "[6,5] [5] [5] [5] [5]+",
                                      "[1,2,3,3] [2] [2] [2] [2]+ epsilon=0.3 momentum=0.5 @train",
                                      "[1,1,7,1] [1] [1] [1] [1]+ @train",
                                      "[3,4,1,1] [4] [4] [4] [4]+ spatial=1 opset=7 @train",
                                      "[2,3,2,2] [3] [3] [3] [3]+ epsilon=0.1 opset=9",
                                      "[2,3,2,2] [3] [3] [3] [3]+ training_mode=1 @train",
                                      "[2,3,5] [3] [3] [3] [3]+ @train",
                                      "[2,3,5] [3] [3] [3] [3]+",
                                      "[2,3,2,3,2] [3] [3] [3] [3]+ @train",
                                      NULL};

const mfm_op mfm_op_batch_normalization = {
    .name = "BatchNormalization",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = mfm_batch_norm_attrs,
    .attr_size = sizeof(mfm_batch_norm_attr),
    .shape = mfm_batch_norm_infer,
    .batch = MFM_BATCH_FIRST,
    .summary = "normalises every channel to mean 0 and variance 1, then scales and shifts it",
    .samples = samples,
};

const mfm_impl mfm_cpu_batch_normalization = {
    .op = &mfm_op_batch_normalization,
    .backend = MFM_CPU,
    .setup = mfm_batch_norm_setup,
    .rule = &mfm_rule_batch_norm,
    .parts = &alone,
    .reads = MFM_READS_IN,
    .update = mfm_batch_norm_update,
};
