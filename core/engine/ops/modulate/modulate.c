/* mfm.Modulate: y = x + (scale x + shift) with numbers of each sample's own for its channels, in
 * one sweep. Training's graphs have it where a modulator was injected. */
#include "core/engine/ops/modulate/modulate.h"

static const mfm_modulate_tail alone = {.summand = false, .relu = false};

static const mfm_port inputs[] = {{"scale", MFM_DATA, false, false},
                                  {"shift", MFM_DATA, false, false},
                                  {"X", MFM_DATA, false, false},
                                  {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {
    "[2,3,1,1] [2,3,1,1] [2,3,2,4]",       "[3,2,1,1] [3,2,1,1] [3,2,1,1]",
    "[1,2,1,1] [1,2,1,1] [1,2,3,3]",       "[3,16,1,1] [3,16,1,1] [3,16,5,2]",
    "[2,150,1,1] [2,150,1,1] [2,150,1,2]", NULL};

static const char *const fuses[] = {"m = Mul X scale; s = Add m shift; *Y = Add s X", NULL};

const mfm_op mfm_op_modulate = {
    .name = "Modulate",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_modulate_infer,
    .fuses = fuses,
    .fused = mfm_modulate_fused,
    .summary = "features scaled by 1 + scale and shifted, a sample and channel at a time",
    .samples = samples,
};

const mfm_impl mfm_cpu_modulate = {
    .op = &mfm_op_modulate,
    .backend = MFM_CPU,
    .setup = mfm_modulate_setup,
    .rule = &mfm_rule_modulate,
    .parts = &alone,
    .reads = MFM_READS_IN,
};
