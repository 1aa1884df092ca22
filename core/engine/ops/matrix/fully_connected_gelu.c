/*
 * mfm.FullyConnectedGelu: y = Gelu(A op(B) + C) over the last axis of A in inference, with A, op(B)
 * and C as FullyConnected has them. Gelu is applied to a few results at a time, before they leave
 * the first caches. To the bit what the operators give one after the other.
 */
#include <limits.h>

#include "core/engine/fusion.h"
#include "core/engine/ops/matrix/matmul.h"

enum { A, B, C };
enum { EXACT, BY_TANH };

typedef struct product_attr {
    int64_t trans_b;
    int approximate;
} product_attr;

static const mfm_attr_def attrs[] = {
    {.name = "transB", .type = MFM_INT, .offset = offsetof(product_attr, trans_b)},
    {.name = "approximate",
     .type = MFM_CHOICE,
     .offset = offsetof(product_attr, approximate),
     .choices = "none|tanh"},
    {0}};

/* Gelu, with its own attributes. */
typedef struct gelu {
    const mfm_pointwise *f;
    void *attr;
} gelu;

static void release(mfm_ctx *ctx, mfm_node *node)
{
    gelu *end = node->kernel;
    if (end)
        mfm_free(ctx, end->attr);
    mfm_free(ctx, end);
    node->kernel = NULL;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    const bool by_tanh = ((const product_attr *)node->attr)->approximate == BY_TANH;
    const mfm_op *op = mfm_op_find("", "Gelu", INT_MAX);
    gelu *end = node->kernel = mfm_alloc(ctx, 1, sizeof *end);
    if (!end)
        return MFM_ENOMEM;
    end->f = mfm_impl_find(ctx, op)->parts;
    end->attr = mfm_alloc(ctx, 1, op->attr_size);
    if (!end->attr)
        return MFM_ENOMEM;
    mfm_attr_defaults(op, end->attr);
    return mfm_attr_parse(ctx, op, end->attr, "approximate", by_tanh ? "tanh" : "none");
}

static void forward(const mfm_node *node)
{
    const gelu *end = node->kernel;
    const mfm_matmul_end of_results = {
        .bias = mfm_in(node, C, MFM_X), .finish = end->f->value, .attr = end->attr};
    mfm_matmul_product_ended(node, mfm_in(node, A, MFM_X), mfm_in(node, B, MFM_X), &of_results,
                             mfm_out(node, 0, MFM_X));
}

static const char *const fuses[] = {"n = mfm:FullyConnected A B ?C; Y = Gelu n",
                                    "n = MatMul A B; Y = Gelu n", NULL};

static bool fused(const mfm_fusion *chain, void *to)
{
    product_attr *attr = to;
    const mfm_shape *a = mfm_fusion_shape(chain, "A"), *b = mfm_fusion_shape(chain, "B");
    const bool by_tanh = mfm_fusion_attr_number(chain, "Y", "approximate") != 0;
    attr->approximate = by_tanh ? BY_TANH : EXACT;
    attr->trans_b = mfm_fusion_attr_number(chain, "n", "transB") != 0;
    return a->rank >= 2 && b->rank == 2;
}

static const char *const samples[] = {"[4,5] [5,3] [3]",
                                      "[2,3,4] [4,5] [5] approximate=tanh",
                                      "[2,3,4,5] [5,3] [3] approximate=tanh",
                                      "[2,7,300] [300,133] [133]",
                                      "[2,40,300] [33,300] [33] transB=1",
                                      "[2,3,4] [5,4] transB=1 approximate=tanh",
                                      "[4,5] [5,3]",
                                      NULL};

const mfm_op mfm_op_fully_connected_gelu = {
    .name = "FullyConnectedGelu",
    .domain = "mfm",
    .since = 1,
    .inputs = mfm_fully_connected_inputs,
    .outputs = mfm_fully_connected_outputs,
    .attrs = attrs,
    .attr_size = sizeof(product_attr),
    .shape = mfm_fully_connected_infer,
    .traits = MFM_MATRIX,
    .layout = MFM_LAYOUT_ROWS,
    .macs = mfm_matmul_macs,
    .batch = MFM_BATCH_FIRST,
    .fuses = fuses,
    .fused = fused,
    .frozen = true,
    .summary = "FullyConnected and Gelu, in inference",
    .samples = samples,
};

static const mfm_rule forward_alone = {.forward = forward};

const mfm_impl mfm_cpu_fully_connected_gelu = {
    .op = &mfm_op_fully_connected_gelu,
    .backend = MFM_CPU,
    .setup = setup,
    .release = release,
    .rule = &forward_alone,
    .reads = MFM_READS_IN,
};
