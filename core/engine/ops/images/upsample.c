/* Upsample (ONNX 7, 9), which Resize takes the place of. */
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
                                      .since = 9},
                                     {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_floats *scales = &((const mfm_resize_attr *)node->attr)->scales;
    for (int i = 0; i < scales->count; i++)
        if (!(scales->v[i] >= 1))
            return mfm_infer_fail(ctx, node, "scale %g: must be at least 1", scales->v[i]);
    return mfm_resize_infer(ctx, node);
}

static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,3,4] scales=1,1,2,3 opset=7",
                                      "[1,2,3,3] scales=1,1,2,1.5 mode=linear",
                                      "[2,3,4] scales=1,1,2 mode=linear", NULL};

const mfm_op mfm_op_upsample = {
    .name = "Upsample",
    .domain = "",
    .since = 7,
    .until = 9,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_resize_attr),
    .shape = infer_shape,
    .linear = true,
    .batch = MFM_BATCH_FIRST,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "axes at greater lengths, by nearest or linear interpolation",
    .samples = samples,
};

const mfm_impl mfm_cpu_upsample = {
    .op = &mfm_op_upsample,
    .backend = MFM_CPU,
    .setup = mfm_resize_setup,
    .release = mfm_resize_release,
    .rule = &mfm_rule_linear,
    .parts = &mfm_linear_resize,
    .reads = MFM_READS_NONE,
};
