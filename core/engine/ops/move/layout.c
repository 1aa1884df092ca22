/* mfm.Layout: y = x, lying otherwise in memory. The pass that decides on layouts puts it where two
 * of them meet. */
#include "core/engine/ops/move/reshape_common.h"

static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,4,5]", "[2,3]", NULL};

const mfm_op mfm_op_layout = {
    .name = "Layout",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .linear = true,
    .traits = MFM_SAME_ORDER | MFM_CONVERTS,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_FREE,
    .summary = "the input itself, in another memory layout",
    .samples = samples,
};

const mfm_impl mfm_cpu_layout = {
    .op = &mfm_op_layout,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_reshape,
    .is_view = mfm_reshape_is_view,
    .reads = MFM_READS_NONE,
};
