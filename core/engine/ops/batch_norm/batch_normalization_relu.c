/* mfm.BatchNormalizationRelu: y = max(BatchNormalization(x), 0) in one sweep. The plans' graphs
 * have it where a model has the two in a row. Only x is kept for the later passes: where the Relu
 * is open, and y itself, are found anew from it. */
#include "core/engine/ops/batch_norm/batch_norm.h"

static const mfm_batch_norm_tail relu = {.summand = false, .relu = true};

static const mfm_port inputs[] = {MFM_BATCH_NORM_INPUTS, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[4,3,2,3] [3] [3] [3] [3]+ @train",
                                      "[4,3,2,3] [3] [3] [3] [3]+",
                                      "[6,5] [5] [5] [5] [5]+ @train",
                                      "[1,2,3,3] [2] [2] [2] [2]+ epsilon=0.3 momentum=0.5 @train",
                                      "[3,16,5,2] [16] [16] [16] [16]+ @train",
                                      "[2,150,1,2] [150] [150] [150] [150]+ @train",
                                      "[2,3,2,2] [3] [3] [3] [3]+ epsilon=0.1",
                                      NULL};

static const char *const fuses[] = {"n = BatchNormalization X scale B mean var; Y = Relu n", NULL};

const mfm_op mfm_op_batch_normalization_relu = {
    .name = "BatchNormalizationRelu",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = mfm_batch_norm_attrs,
    .attr_size = sizeof(mfm_batch_norm_attr),
    .shape = mfm_batch_norm_infer,
    .fuses = fuses,
    .fused = mfm_batch_norm_fused,
    .summary = "BatchNormalization and Relu in one sweep",
    .samples = samples,
};

const mfm_impl mfm_cpu_batch_normalization_relu = {
    .op = &mfm_op_batch_normalization_relu,
    .backend = MFM_CPU,
    .setup = mfm_batch_norm_setup,
    .rule = &mfm_rule_batch_norm,
    .parts = &relu,
    .reads = MFM_READS_IN,
    .update = mfm_batch_norm_update,
    .restore = mfm_batch_norm_restore,
};
