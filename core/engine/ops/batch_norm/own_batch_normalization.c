/*
 * mfm.OwnBatchNormalization: BatchNormalization by the statistics of its own input, in inference,
 * too. Import puts it where a file normalises weights (weight standardisation): what comes of no
 * image has no running statistics to speak of.
 */
#include "core/engine/ops/batch_norm/batch_norm.h"

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    node->training = true;
    return mfm_batch_norm_setup(ctx, node);
}

static const mfm_batch_norm_tail alone = {.summand = false, .relu = false};

static const mfm_port inputs[] = {{"X", MFM_DATA, false, false},
                                  {"scale", MFM_PARAM, false, false},
                                  {"B", MFM_PARAM, false, false},
                                  {0}};
static const mfm_port outputs[] = {
    {"Y", MFM_DATA, false, false},        {"mean", MFM_DATA, true, false},
    {"var", MFM_DATA, true, false},       {"saved_mean", MFM_DATA, true, false},
    {"saved_var", MFM_DATA, true, false}, {0}};
static const char *const samples[] = {"[1,3,7] [3] [3] epsilon=0.1", "[2,3,2,2] [3] [3]", NULL};

const mfm_op mfm_op_own_batch_normalization = {
    .name = "OwnBatchNormalization",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = mfm_batch_norm_attrs,
    .attr_size = sizeof(mfm_batch_norm_attr),
    .shape = mfm_batch_norm_infer,
    .summary = "BatchNormalization by its own statistics, in inference, too",
    .samples = samples,
};

const mfm_impl mfm_cpu_own_batch_normalization = {
    .op = &mfm_op_own_batch_normalization,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_batch_norm,
    .parts = &alone,
    .reads = MFM_READS_IN,
};
