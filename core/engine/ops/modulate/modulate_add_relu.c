/* mfm.ModulateAddRelu: y = max(Modulate(x) + summand, 0) in one sweep, the end of a residual block
 * that is modulated. */
#include "core/engine/ops/modulate/modulate.h"

static const mfm_modulate_tail add_relu = {.summand = true, .relu = true};

static const mfm_port inputs[] = {{"scale", MFM_DATA, false, false},
                                  {"shift", MFM_DATA, false, false},
                                  {"X", MFM_DATA, false, false},
                                  {"summand", MFM_DATA, false, false},
                                  {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,1,1] [2,3,1,1] [2,3,2,4] [2,3,2,4]",
                                      "[3,2,1,1] [3,2,1,1] [3,2,1,1] [3,2,1,1]",
                                      "[1,2,1,1] [1,2,1,1] [1,2,3,3] [1,2,3,3]",
                                      "[3,16,1,1] [3,16,1,1] [3,16,5,2] [3,16,5,2]",
                                      "[2,150,1,1] [2,150,1,1] [2,150,1,2] [2,150,1,2]",
                                      NULL};

static const char *const fuses[] = {
    "m = Mul X scale; s = Add m shift; *t = Add s X; u = Add t summand; Y = Relu u", NULL};

const mfm_op mfm_op_modulate_add_relu = {
    .name = "ModulateAddRelu",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_modulate_infer,
    .additive = 1u << MFM_MOD_SUMMAND,
    .fuses = fuses,
    .fused = mfm_modulate_fused,
    .summary = "Modulate, a sum and Relu in one sweep",
    .samples = samples,
};

const mfm_impl mfm_cpu_modulate_add_relu = {
    .op = &mfm_op_modulate_add_relu,
    .backend = MFM_CPU,
    .setup = mfm_modulate_setup,
    .rule = &mfm_rule_modulate,
    .parts = &add_relu,
    .reads = MFM_READS_IN | MFM_READS_OUT,
};
