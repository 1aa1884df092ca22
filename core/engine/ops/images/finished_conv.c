/*
 * mfm.FinishedConv: y = f(BatchNormalization(x * w + b)) in inference, as one convolution of which
 * each result is finished before it is stored. With s = scale / sqrt(var + epsilon), that is
 *     y = f(x * (s w) + bias),   bias = s (b - mean) + shift,
 * and s w and the bias are found once for many passes. The graphs of frozen plans have it where a
 * model has Conv with these behind, of the shapes that the kernels finish.
 */
#include <math.h>
#include <string.h>

#include "core/engine/fusion.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/ops/images/conv_common.h"
#include "core/engine/ops/batch_norm/batch_norm.h"

enum { X, W, B, SCALE, SHIFT, MEAN, VARIANCE };

typedef struct finished_attr {
    mfm_conv_attr conv; /* first: windows are found from it */
    double epsilon;
    int function;
} finished_attr;

/* In the order of the choices. */
static const enum mfm_conv_finish finishes[] = {MFM_CONV_BIAS, MFM_CONV_BIAS_RELU,
                                                MFM_CONV_BIAS_SWISH, MFM_CONV_BIAS_HARD_SWISH,
                                                MFM_CONV_BIAS_RELU6};
enum { NONE, RELU, SWISH, HARD_SWISH, RELU6 };

static const mfm_attr_def attrs[] = {
    MFM_WINDOW_ATTRS,
    {.name = "kernel_shape", .type = MFM_INTS, .offset = offsetof(mfm_window_attr, kernel_shape)},
    {.name = "group", .type = MFM_INT, .offset = offsetof(mfm_conv_attr, group), .fallback = 1},
    {.name = "epsilon",
     .type = MFM_FLOAT,
     .offset = offsetof(finished_attr, epsilon),
     .fallback = 1e-5},
    {.name = "function",
     .type = MFM_CHOICE,
     .offset = offsetof(finished_attr, function),
     .choices = "None|Relu|Swish|HardSwish|Relu6"},
    {0}};

static mfm_conv_shape shape_of(const mfm_node *node, const mfm_window *window)
{
    mfm_conv_shape shape = mfm_conv_shape_of(node, window, &node->in[X]->shape, window->in,
                                             &node->out[0]->shape, window->out);
    shape.finish = finishes[((const finished_attr *)node->attr)->function];
    return shape;
}

static bool is_absent(const mfm_node *node, int input)
{
    return input >= node->n_in || !node->in[input];
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    mfm_window window;
    int status = mfm_conv_infer(ctx, node, &window);
    if (status)
        return status;
    const mfm_shape channels = mfm_shape_of(1, node->in[W]->shape.dim[0]);
    for (int i = SCALE; i <= VARIANCE && i < node->n_in; i++)
        if (is_absent(node, i) != is_absent(node, SCALE) ||
            (node->in[i] && !mfm_shape_equal(&node->in[i]->shape, &channels)))
            return mfm_infer_fail(ctx, node, "%s: must be one number for each of %lld channels",
                                  node->op->inputs[i].name, (long long)channels.dim[0]);
    const mfm_conv_shape shape = shape_of(node, &window);
    if (!mfm_conv_finishes(&shape))
        return mfm_infer_fail(ctx, node, "weights: are of no convolution that is finished so");
    return MFM_OK;
}

/* Packed: the bias, then the weights. */
static size_t bias_size(const mfm_node *node)
{
    return mfm_conv_aligned((size_t)node->in[W]->shape.dim[0]);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    mfm_window window;
    int status = mfm_window_infer(ctx, node, &node->in[W]->shape.dim[2], &window);
    if (status)
        return status;
    const mfm_conv_shape shape = shape_of(node, &window);
    status = mfm_conv_setup(ctx, node, &shape, true);
    if (status)
        return status;
    const size_t weights = (size_t)mfm_shape_count(&node->in[W]->shape);
    const size_t packed =
        bias_size(node) + mfm_conv_aligned(node->packed_size ? node->packed_size : weights);
    node->scratch_size = node->scratch_size > weights ? node->scratch_size : weights;
    node->packed_size = node->frozen ? packed : 0;
    if (!node->frozen)
        node->scratch_size = packed + mfm_conv_aligned(node->scratch_size);
    return MFM_OK;
}

/* s and the bias of a channel. */
static void line_of(const mfm_node *node, int64_t channel, double *s, double *bias)
{
    const double epsilon = ((const finished_attr *)node->attr)->epsilon;
    const real *b = mfm_in(node, B, MFM_X), *scale = mfm_in(node, SCALE, MFM_X);
    *s = 1;
    *bias = b ? (double)b[channel] : 0;
    if (!scale)
        return;
    *s = (double)scale[channel] / sqrt((double)mfm_in(node, VARIANCE, MFM_X)[channel] + epsilon);
    *bias = *s * (*bias - (double)mfm_in(node, MEAN, MFM_X)[channel]) +
            (double)mfm_in(node, SHIFT, MFM_X)[channel];
}

static void pack(const mfm_node *node, real *packed, real *scratch)
{
    const mfm_shape *w = &node->in[W]->shape;
    const int64_t channels = w->dim[0], count = mfm_shape_count(w) / channels;
    const real *weights = mfm_in(node, W, MFM_X);
    real *to = packed + bias_size(node);
    real *scaled = mfm_conv_packed(node->kernel) ? scratch : to;
    for (int64_t c = 0; c < channels; c++) {
        double s, bias;
        line_of(node, c, &s, &bias);
        packed[c] = (real)bias;
        for (int64_t i = c * count; i < (c + 1) * count; i++)
            scaled[i] = (real)(s * (double)weights[i]);
    }
    if (scaled != to)
        mfm_conv_pack(node->kernel, scaled, to);
}

static void prepare(const mfm_node *node)
{
    pack(node, node->packed, node->scratch);
}

static void forward(const mfm_node *node)
{
    real *packed = node->packed ? node->packed : node->scratch, *scratch = node->scratch;
    if (!node->packed) {
        scratch +=
            bias_size(node) + mfm_conv_aligned(mfm_conv_packed(node->kernel)
                                                   ? mfm_conv_packed(node->kernel)
                                                   : (size_t)mfm_shape_count(&node->in[W]->shape));
        pack(node, packed, scratch);
    }
    mfm_conv_forward_finished(node->kernel, mfm_in(node, X, MFM_X), packed + bias_size(node),
                              packed, mfm_out(node, 0, MFM_X), scratch);
}

#define CONV      "c = Conv X W; "
#define CONV_BIAS "c = Conv X W B; "
#define NORM      "c scale shift mean var"
static const char *const fuses[] = {CONV "Y = BatchNormalization " NORM,
                                    CONV "Y = mfm:BatchNormalizationRelu " NORM,
                                    CONV "Y = mfm:BatchNormalizationActivation " NORM,
                                    CONV_BIAS "Y = BatchNormalization " NORM,
                                    CONV_BIAS "Y = mfm:BatchNormalizationRelu " NORM,
                                    CONV_BIAS "Y = mfm:BatchNormalizationActivation " NORM,
                                    CONV_BIAS "Y = Relu c",
                                    CONV_BIAS "Y = Swish c",
                                    CONV_BIAS "Y = HardSwish c",
                                    CONV_BIAS "Y = Clip c",
                                    "Y = Conv X W B",
                                    NULL};

/* Which function ends the chain; false: one that the kernels do not know. */
static bool function_of(const mfm_fusion *chain, int *function)
{
    static const int behind_norm[MFM_BN_ACTIVATIONS] = {
        [MFM_BN_SWISH] = SWISH, [MFM_BN_HARD_SWISH] = HARD_SWISH, [MFM_BN_RELU6] = RELU6};
    static const struct {
        const char *op;
        int function;
    } ends[] = {{"Conv", NONE},
                {"BatchNormalization", NONE},
                {"mfm:BatchNormalizationRelu", RELU},
                {"Relu", RELU},
                {"Swish", SWISH},
                {"HardSwish", HARD_SWISH},
                {"Clip", RELU6}};
    if (mfm_fusion_is(chain, "Y", "mfm:BatchNormalizationActivation")) {
        const mfm_batch_norm_attr *attr = mfm_fusion_attr(chain, "Y");
        *function = behind_norm[attr->activation];
        return true;
    }
    size_t i = 0;
    while (!mfm_fusion_is(chain, "Y", ends[i].op))
        i++;
    *function = ends[i].function;
    if (*function == RELU6)
        return mfm_fusion_attr_number(chain, "Y", "min") == 0 &&
               mfm_fusion_attr_number(chain, "Y", "max") == 6;
    return *function != SWISH || mfm_fusion_attr_number(chain, "Y", "alpha") == 1;
}

static bool fused(const mfm_fusion *chain, void *to)
{
    finished_attr *attr = to;
    const mfm_shape *w = mfm_fusion_shape(chain, "W");
    memcpy(&attr->conv, mfm_fusion_attr(chain, mfm_fusion_shape(chain, "c") ? "c" : "Y"),
           sizeof attr->conv);
    attr->epsilon = mfm_fusion_attr_number(chain, "Y", "epsilon");
    if (w->rank != 4 || !function_of(chain, &attr->function))
        return false;
    const mfm_conv_shape shape = {.c = w->dim[1] * attr->conv.group,
                                  .o = w->dim[0],
                                  .kh = w->dim[2],
                                  .kw = w->dim[3],
                                  .groups = attr->conv.group,
                                  .finish = finishes[attr->function]};
    return mfm_conv_finishes(&shape);
}

static const mfm_port inputs[] = {
    {"X", MFM_DATA, false, false},     {"W", MFM_PARAM, false, false},
    {"B", MFM_PARAM, true, false},     {"scale", MFM_PARAM, true, false},
    {"shift", MFM_PARAM, true, false}, {"mean", MFM_STATE, true, false},
    {"var", MFM_STATE, true, false},   {0}};

static const char *const samples[] = {
    "[2,3,5,4] [8,3,1,1] - [8] [8] [8] [8]+",
    "[2,3,5,4] [8,3,1,1] [8] [8] [8] [8] [8]+ function=Relu strides=2,2",
    "[2,16,5,4] [16,1,3,3] - [16] [16] [16] [16]+ group=16 pads=1,1,1,1 function=Swish",
    "[2,16,7,9] [16,1,5,5] - [16] [16] [16] [16]+ group=16 strides=2,2 function=HardSwish",
    "[2,5,4,3] [7,5,1,1] [7] function=Swish",
    "[2,5,4,3] [7,5,1,1] - [7] [7] [7] [7]+ function=Relu6",
    "[2,70,5,4] [18,70,1,1] - [18] [18] [18] [18]+ function=Relu strides=2,2",
    "[3,16,5,4] [90,16,1,1] [90] function=Swish",
    "[2,20,7,9] [20,1,3,3] - [20] [20] [20] [20]+ group=20 pads=1,1,1,1 function=Swish",
    "[1,37,4,21] [37,1,3,3] [37] group=37 strides=1,2 pads=1,0,1,2 function=Swish",
    "[1,16,9,13] [16,1,2,3] [16] group=16 dilations=2,3 function=Swish",
    "[2,3,9,8] [16,3,3,3] - [16] [16] [16] [16]+ strides=2,2 pads=1,1,1,1 function=HardSwish",
    "[2,3,9,8] [13,3,3,3] [13] pads=1,1,1,1 function=Relu",
    "[3,1,7,9] [6,1,5,5] - [6] [6] [6] [6]+",
    "[2,8,9,8] [32,8,2,3] [32] dilations=2,1 function=Swish",
    NULL};

const mfm_op mfm_op_finished_conv = {
    .name = "FinishedConv",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = mfm_conv_outputs,
    .attrs = attrs,
    .attr_size = sizeof(finished_attr),
    .shape = infer_shape,
    .macs = mfm_conv_macs,
    .batch = MFM_BATCH_FIRST,
    .fuses = fuses,
    .fused = fused,
    .frozen = true,
    .summary = "Conv, BatchNormalization and what follows, in inference",
    .samples = samples,
};

static const mfm_rule forward_alone = {.forward = forward};

const mfm_impl mfm_cpu_finished_conv = {
    .op = &mfm_op_finished_conv,
    .backend = MFM_CPU,
    .setup = setup,
    .prepare = prepare,
    .release = mfm_conv_release,
    .rule = &forward_alone,
    .reads = MFM_READS_IN,
};
