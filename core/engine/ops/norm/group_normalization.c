/* GroupNormalization (ONNX 18, 21): each group of neighbouring channels of every image by itself.
 * Opset 18 has scale and bias by group, 21 by channel. stash_type is the type of the statistics,
 * which are taken in double here. */
#include "core/engine/ops/norm/image_norm.h"

static const mfm_attr_def attrs[] = {{.name = "epsilon",
                                      .type = MFM_FLOAT,
                                      .offset = offsetof(mfm_image_norm_attr, epsilon),
                                      .fallback = 1e-5},
                                     {.name = "num_groups",
                                      .type = MFM_INT,
                                      .offset = offsetof(mfm_image_norm_attr, num_groups),
                                      .required = true},
                                     {.name = "stash_type",
                                      .type = MFM_INT,
                                      .offset = offsetof(mfm_image_norm_attr, stash_type),
                                      .fallback = 1},
                                     {0}};

static const mfm_port inputs[] = {{"X", MFM_DATA, false, false},
                                  {"scale", MFM_PARAM, false, false},
                                  {"bias", MFM_PARAM, false, false},
                                  {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,6,4,3] [6] [6] num_groups=3",
                                      "[2,6,4,3] [3] [3] num_groups=3 opset=18",
                                      "[2,4,3,3] [4] [4] num_groups=1 epsilon=0.2",
                                      "[2,4,2,3] [4] [4] num_groups=4 stash_type=1",
                                      "[2,4,2,3] [1] [1] num_groups=1 opset=20",
                                      "[3,4,5] [4] [4] num_groups=2",
                                      "[1,6,2,2,3] [2] [2] num_groups=2 opset=18",
                                      NULL};

const mfm_op mfm_op_group_normalization = {
    .name = "GroupNormalization",
    .domain = "",
    .since = 18,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_image_norm_attr),
    .shape = mfm_image_norm_infer,
    .batch = MFM_BATCH_FIRST,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "normalises groups of an image's channels to mean 0 and variance 1, scales and "
               "shifts them",
    .samples = samples,
};

const mfm_impl mfm_cpu_group_normalization = {
    .op = &mfm_op_group_normalization,
    .backend = MFM_CPU,
    .setup = mfm_image_norm_setup,
    .rule = &mfm_rule_image_norm,
    .reads = MFM_READS_IN,
};
