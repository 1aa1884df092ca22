/* Not (ONNX 1): 1 where x is 0 (false), 0 elsewhere. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return x == 0 ? 1 : 0;
}

MFM_UNARY_STEPS(f)

static const mfm_port inputs[] = {{"X", MFM_INDEX, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_INDEX, false, false}, {0}};

static const char *const samples[] = {"[2,3,5,5]<2", "[4,7]<2", "[]<2", "[2,3,4]<2 opset=1", NULL};

const mfm_op mfm_op_not = {
    .name = "Not",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "whether x is false",
    .samples = samples,
};

const mfm_impl mfm_cpu_not = {
    .op = &mfm_op_not,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
