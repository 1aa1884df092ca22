/* Or (ONNX 7): with numpy's broadcasting; 1 is true, 0 false. It has no derivative. Version 1
 * broadcast by an attribute. */
#include "core/engine/ops/logic/logic.h"

static inline real f(real a, real b)
{
    return (real)((a != 0) | (b != 0));
}

MFM_OF_TWO(value, f)
static const mfm_two_operands parts = {.value = value};

static const char *const samples[] = {MFM_TRUTH_SAMPLES, "[2,3]<2 [3]<2 opset=7", NULL};

const mfm_op mfm_op_or = {
    .name = "Or",
    .domain = "",
    .since = 7,
    .inputs = mfm_logic_truths,
    .outputs = mfm_logic_result,
    .shape = mfm_infer_broadcast,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "A or B, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_or = {
    .op = &mfm_op_or,
    .backend = MFM_CPU,
    .setup = mfm_two_operands_setup,
    .rule = &mfm_rule_two_operands,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
