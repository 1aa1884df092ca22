/* InstanceNormalization (ONNX 1, 6, 22): every channel of every image by itself. */
#include "core/engine/ops/norm/image_norm.h"

static const mfm_attr_def attrs[] = {{.name = "epsilon",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(mfm_image_norm_attr, epsilon),
                                      .fallback = 1e-5},
                                     {0}};

static const mfm_port inputs[] = {{"input", MFM_DATA, false, false},
                                  {"scale", MFM_PARAM, false, false},
                                  {"B", MFM_PARAM, false, false},
                                  {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {
    "[2,3,4,5] [3] [3]", "[1,1,3,3] [1] [1] epsilon=0.3", "[2,70,2,2] [70] [70] opset=1",
    "[3,2,7] [2] [2]",   "[2,3,2,3,2] [3] [3]",           NULL};

const mfm_op mfm_op_instance_normalization = {
    .name = "InstanceNormalization",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_image_norm_attr),
    .shape = mfm_image_norm_infer,
    .batch = MFM_BATCH_FIRST,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "normalises each channel of an image to mean 0 and variance 1, scales and shifts it",
    .samples = samples,
};

const mfm_impl mfm_cpu_instance_normalization = {
    .op = &mfm_op_instance_normalization,
    .backend = MFM_CPU,
    .setup = mfm_image_norm_setup,
    .rule = &mfm_rule_image_norm,
    .reads = MFM_READS_IN,
};
