/* mfm.BatchNormalizationActivation: y = f(BatchNormalization(x)) in the sweeps of the
 * normalisation, f a pointwise operator with its defaults. The plans' graphs have it where a model
 * has the two in a row. Only x is kept for the later passes: batch_norm_tail.h tells how they do
 * without the rest. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/engine/ops/batch_norm/batch_norm.h"
#include "core/engine/rules.h"

/* Pointwise operators, with attributes that have not their defaults. */
#define CHOICES "Swish|HardSwish|Relu6"
static const struct {
    const char *op, *set[2][2];
} activations[MFM_BN_ACTIVATIONS] = {
    [MFM_BN_SWISH] = {.op = "Swish"},
    [MFM_BN_HARD_SWISH] = {.op = "HardSwish"},
    [MFM_BN_RELU6] = {.op = "Clip", .set = {{"min", "0"}, {"max", "6"}}}};

static const mfm_attr_def attrs[] = {MFM_BATCH_NORM_ATTRS,
                                     {.name = "activation",
                                      .type = MFM_CHOICE,
                                      .offset = offsetof(mfm_batch_norm_attr, activation),
                                      .choices = CHOICES},
                                     {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *x = &node->in[MFM_BN_INPUT]->shape;
    char text[MFM_SHAPE_TEXT];
    if ((x->rank != 2 && x->rank != 4) || x->dim[1] > MFM_MOST_HOOKED)
        return mfm_infer_fail(ctx, node, "input %s: must be [n, c] or [n, c, h, w], c at most %d",
                              mfm_shape_text(x, text), MFM_MOST_HOOKED);
    return mfm_batch_norm_infer(ctx, node);
}

static void release(mfm_ctx *ctx, mfm_node *node)
{
    mfm_batch_norm_function *function = node->kernel;
    if (function)
        mfm_free(ctx, function->attr);
    mfm_free(ctx, function);
    node->kernel = NULL;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_batch_norm_attr *attr = node->attr;
    const mfm_op *op = mfm_op_find("", activations[attr->activation].op, INT_MAX);
    const mfm_impl *impl = mfm_impl_find(ctx, op);
    mfm_batch_norm_function *function = mfm_alloc(ctx, 1, sizeof *function);
    node->kernel = function;
    if (!function)
        return MFM_ENOMEM;
    function->f = impl->parts;
    function->by_output = (impl->reads & MFM_READS_OUT) != 0;
    function->linear = op->linear;
    function->attr = mfm_alloc(ctx, 1, op->attr_size);
    if (!function->attr)
        return MFM_ENOMEM;
    mfm_attr_defaults(op, function->attr);
    int status = MFM_OK;
    for (int i = 0; i < 2 && activations[attr->activation].set[i][0] && !status; i++) {
        const char *const *set = activations[attr->activation].set[i];
        status = mfm_attr_parse(ctx, op, function->attr, set[0], set[1]);
    }
    return status ? status : mfm_batch_norm_setup(ctx, node);
}

static const mfm_batch_norm_tail tail = {.function = true};

static const mfm_port inputs[] = {MFM_BATCH_NORM_INPUTS, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[4,3,2,3] [3] [3] [3] [3]+ @train",
                                      "[4,3,2,3] [3] [3] [3] [3]+",
                                      "[6,5] [5] [5] [5] [5]+ activation=HardSwish @train",
                                      "[1,2,3,3] [2] [2] [2] [2]+ epsilon=0.3 momentum=0.5 @train",
                                      "[3,16,5,2] [16] [16] [16] [16]+ activation=HardSwish @train",
                                      "[2,150,1,2] [150] [150] [150] [150]+ @train",
                                      "[2,3,2,2] [3] [3] [3] [3]+ epsilon=0.1 activation=HardSwish",
                                      "[3,16,5,2] [16] [16] [16] [16]+ activation=Relu6 @train",
                                      "[2,3,2,2] [3] [3] [3] [3]+ activation=Relu6",
                                      "[2,520,2,1] [520] [520] [520] [520]+ @train",
                                      NULL};

#define NORM "n = BatchNormalization X scale B mean var; "
static const char *const fuses[] = {NORM "s = Sigmoid n; Y = Mul n s",
                                    NORM "Y = Swish n",
                                    NORM "s = HardSigmoid n; Y = Mul n s",
                                    NORM "Y = HardSwish n",
                                    NORM "Y = Clip n",
                                    NULL};

static bool fused(const mfm_fusion *chain, void *attr)
{
    if (!mfm_batch_norm_fused(chain, attr) ||
        mfm_fusion_shape(chain, "n")->dim[1] > MFM_MOST_HOOKED)
        return false;
    int *activation = &((mfm_batch_norm_attr *)attr)->activation;
    if (mfm_fusion_is(chain, "Y", "Clip")) {
        *activation = MFM_BN_RELU6;
        return mfm_fusion_attr_number(chain, "Y", "min") == 0 &&
               mfm_fusion_attr_number(chain, "Y", "max") == 6;
    }
    const bool by_parts = mfm_fusion_is(chain, "Y", "Mul");
    const bool hard = by_parts ? mfm_fusion_is(chain, "s", "HardSigmoid")
                               : mfm_fusion_is(chain, "Y", "HardSwish");
    *activation = hard ? MFM_BN_HARD_SWISH : MFM_BN_SWISH;
    if (hard && by_parts)
        return fabs(mfm_fusion_attr_number(chain, "s", "alpha") - 1. / 6) < 1e-7 &&
               mfm_fusion_attr_number(chain, "s", "beta") == 0.5;
    return by_parts || hard || mfm_fusion_attr_number(chain, "Y", "alpha") == 1;
}

const mfm_op mfm_op_batch_normalization_activation = {
    .name = "BatchNormalizationActivation",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_batch_norm_attr),
    .shape = infer_shape,
    .fuses = fuses,
    .fused = fused,
    .summary = "BatchNormalization and Swish, HardSwish or Relu6 in one sweep",
    .samples = samples,
};

const mfm_impl mfm_cpu_batch_normalization_activation = {
    .op = &mfm_op_batch_normalization_activation,
    .backend = MFM_CPU,
    .setup = setup,
    .release = release,
    .rule = &mfm_rule_batch_norm,
    .parts = &tail,
    .reads = MFM_READS_IN,
    .update = mfm_batch_norm_update,
    .restore = mfm_batch_norm_restore,
};
