/*
 * AveragePool (ONNX 1, 7, 10, 11, 19, 22) over images, lines and volumes: the mean of each window.
 * Without count_include_pad the mean is over the taps inside the image; with it, also over those in
 * the given padding, but not over taps that ceil_mode lets hang out beyond that. The adjoint adds
 * g / count to every tap.
 */
#include "core/engine/ops/pool/window_sum.h"
#include "core/engine/rules.h"

typedef struct average_pool_attr {
    mfm_window_attr window;
    int64_t count_include_pad;
} average_pool_attr;

static const mfm_attr_def attrs[] = {
    MFM_WINDOW_ATTRS,
    {.name = "kernel_shape",
     .type = MFM_INTS,
     .offset = offsetof(mfm_window_attr, kernel_shape),
     .required = true},
    {.name = "ceil_mode", .type = MFM_INT, .offset = offsetof(mfm_window_attr, ceil_mode)},
    {.name = "count_include_pad",
     .type = MFM_INT,
     .offset = offsetof(average_pool_attr, count_include_pad)},
    {0}};

static enum mfm_window_share share_of(const mfm_node *node)
{
    const average_pool_attr *attr = node->attr;
    return attr->count_include_pad ? MFM_SHARE_PADDED : MFM_SHARE_INSIDE;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    mfm_window_sum(node->kernel, &node->in[0]->shape, share_of(node), mfm_in(node, 0, lane),
                   mfm_out(node, 0, lane));
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *gx = mfm_in(node, 0, lane);
    if (gx)
        mfm_window_spread(node->kernel, &node->in[0]->shape, share_of(node), mfm_out(node, 0, lane),
                          gx, mfm_accumulates(node, 0, lane));
}

static const mfm_linear parts = {apply, adjoint};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {
    "[2,3,4,6] kernel_shape=2,2 strides=2,2",
    "[2,3,5,5] kernel_shape=2,2 strides=2,2 ceil_mode=1",
    "[2,2,5,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1",
    "[2,2,5,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1 count_include_pad=1",
    "[1,2,6,6] kernel_shape=3,3 strides=2,2 pads=0,0,1,1 ceil_mode=1 count_include_pad=1",
    "[2,2,4,4] kernel_shape=2,2 strides=3,3 pads=0,0,1,1 ceil_mode=1",
    "[2,2,2,3] kernel_shape=5,5 strides=5,5 ceil_mode=1",
    "[1,3,7,6] kernel_shape=3,2 dilations=2,3 pads=1,0,1,2",
    "[1,3,7,6] kernel_shape=3,2 dilations=2,3 pads=1,0,1,2 count_include_pad=1",
    "[1,1,1,1] kernel_shape=1,1",
    "[3,5,3,2] kernel_shape=3,2",
    "[2,1,5,5] kernel_shape=3,3 strides=2,2 auto_pad=SAME_UPPER",
    "[2,2,4,5] kernel_shape=2,2 auto_pad=SAME_LOWER count_include_pad=1",
    "[1,2,5,6] kernel_shape=3,2 strides=2,1 auto_pad=VALID",
    "[1,2,4,4] kernel_shape=2,2 opset=1",
    "[2,3,7] kernel_shape=3 strides=2 pads=1,1",
    "[1,2,3,4,5] kernel_shape=2,3,2 strides=1,2,2 pads=0,1,1,1,1,0 count_include_pad=1",
    NULL};

const mfm_op mfm_op_average_pool = {
    .name = "AveragePool",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(average_pool_attr),
    .shape = mfm_window_infer_pool,
    .linear = true,
    .batch = MFM_BATCH_FIRST,
    .summary = "mean of each window of an image",
    .samples = samples,
};

const mfm_impl mfm_cpu_average_pool = {
    .op = &mfm_op_average_pool,
    .backend = MFM_CPU,
    .setup = mfm_window_setup,
    .release = mfm_window_release,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
