/* Greater (ONNX 7, 9, 13): with numpy's broadcasting; 1 is true, 0 false. It has no derivative.
 * Version 1 broadcast by an attribute. */
#include "core/engine/ops/logic/logic.h"

static inline real f(real a, real b)
{
    return (real)(a > b);
}

MFM_OF_TWO(value, f)
static const mfm_two_operands parts = {.value = value};

static const char *const samples[] = {MFM_COMPARISON_SAMPLES, "[2,3] [3] opset=7", NULL};

const mfm_op mfm_op_greater = {
    .name = "Greater",
    .domain = "",
    .since = 7,
    .inputs = mfm_logic_numbers,
    .outputs = mfm_logic_result,
    .shape = mfm_infer_broadcast,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "whether A > B, with broadcasting; no derivative",
    .samples = samples,
};

const mfm_impl mfm_cpu_greater = {
    .op = &mfm_op_greater,
    .backend = MFM_CPU,
    .setup = mfm_two_operands_setup,
    .rule = &mfm_rule_two_operands,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
