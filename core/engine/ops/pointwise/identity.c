/* Identity: y = x. */
#include "core/engine/ops/move/reshape_common.h"

static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5]", "[3]", "[]", NULL};

const mfm_op mfm_op_identity = {
    .name = "Identity",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .linear = true,
    .traits = MFM_SAME_ORDER,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "the input itself",
    .samples = samples,
};

const mfm_impl mfm_cpu_identity = {
    .op = &mfm_op_identity,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_reshape,
    .is_view = mfm_reshape_is_view,
    .reads = MFM_READS_NONE,
};
