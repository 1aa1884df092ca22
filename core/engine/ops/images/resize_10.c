/* Resize (ONNX 10), before it had coordinates to choose from. */
#include "core/engine/ops/images/resize.h"

static const mfm_attr_def attrs[] = {{.name = "mode",
                                      .type = MFM_CHOICE,
                                      .offset = offsetof(mfm_resize_attr, mode),
                                      .choices = "nearest|linear"},
                                     {.name = "scales",
                                      .type = MFM_FLOATS,
                                      .offset = offsetof(mfm_resize_attr, scales),
                                      .required = true,
                                      .from_input = 1,
                                      .since = 10},
                                     {0}};

static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,3,4] scales=1,1,2,3", "[1,2,5,4] scales=1,1,0.6,0.6",
                                      "[1,2,3,4] scales=1,1,2,0.5 mode=linear", NULL};

const mfm_op mfm_op_resize_10 = {
    .name = "Resize",
    .domain = "",
    .since = 10,
    .until = 10,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_resize_attr),
    .shape = mfm_resize_infer,
    .linear = true,
    .batch = MFM_BATCH_FIRST,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "axes at other lengths, by nearest or linear interpolation",
    .samples = samples,
};

const mfm_impl mfm_cpu_resize_10 = {
    .op = &mfm_op_resize_10,
    .backend = MFM_CPU,
    .setup = mfm_resize_setup,
    .release = mfm_resize_release,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_resize,
    .reads = MFM_READS_NONE,
};
