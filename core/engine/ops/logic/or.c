/* Or (ONNX 7): with numpy's broadcasting; 1 is true, 0 false. It has no derivative. Version 1
 * broadcast by an attribute. */
#include "core/engine/ops/binary/two_operands.h"
#include "core/engine/ops/pointwise/elementwise.h"

static inline real f(real a, real b)
{
    return (real)((a != 0) | (b != 0));
}

MFM_OF_TWO(value, f)
static const mfm_two_operands parts = {.value = value};

static const mfm_port inputs[] = {
    {"A", MFM_INDEX, false, false}, {"B", MFM_INDEX, false, false}, {0}};
static const mfm_port outputs[] = {{"C", MFM_INDEX, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5]<2 [2,3,4,5]<2",
                                      "[2,3,4,3]<2 [2,3,1,1]<2",
                                      "[3,1,1]<2 [2,3,2,4]<2",
                                      "[4]<2 [3,1]<2",
                                      "[]<2 []<2",
                                      "[2,3]<2 [3]<2 opset=7",
                                      NULL};

const mfm_op mfm_op_or = {
    .name = "Or",
    .domain = "",
    .since = 7,
    .inputs = inputs,
    .outputs = outputs,
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
