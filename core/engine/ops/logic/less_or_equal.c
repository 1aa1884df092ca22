/* LessOrEqual (ONNX 12, 16): with numpy's broadcasting; 1 is true, 0 false. It has no derivative.
 */
#include "core/engine/ops/binary/two_operands.h"
#include "core/engine/ops/pointwise/elementwise.h"

static inline real f(real a, real b)
{
    return (real)(a <= b);
}

MFM_OF_TWO(value, f)
static const mfm_two_operands parts = {.value = value};

static const mfm_port inputs[] = {
    {"A", MFM_DATA, false, false}, {"B", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"C", MFM_INDEX, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5] [2,3,4,5]",
                                      "[2,3,4,3] [2,3,1,1]",
                                      "[3,1,1] [2,3,2,4]",
                                      "[4] [3,1]",
                                      "[] []",
                                      "[2,3] [3] opset=12",
                                      NULL};

const mfm_op mfm_op_less_or_equal = {
    .name = "LessOrEqual",
    .domain = "",
    .since = 12,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_broadcast,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "whether A <= B, with broadcasting; no derivative",
    .samples = samples,
};

const mfm_impl mfm_cpu_less_or_equal = {
    .op = &mfm_op_less_or_equal,
    .backend = MFM_CPU,
    .setup = mfm_two_operands_setup,
    .rule = &mfm_rule_two_operands,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
