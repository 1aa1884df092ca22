/*
 * Dropout (ONNX 1, 6, 7, 10, 12, 13, 22): in training y = m x, with m_i = 0 with probability
 * `ratio` and 1 / (1 - ratio) otherwise; y = x in inference. ratio is an attribute until opset 11
 * and input 1 from 12 on. The plan, not the training_mode input, decides between training and
 * inference, and the step's key, not the seed attribute, decides the draws.
 *
 * Forward draws the mask into saved, [count] in storage order; the other passes only read it: given
 * the mask the operator is linear, and the same mask serves all passes of a step.
 */
#include "core/engine/rules.h"

#include <string.h>

typedef struct dropout_attr {
    double ratio;
    int64_t training_mode, seed;
} dropout_attr;

static const mfm_attr_def attrs[] = {
    {.name = "ratio",
     .type = MFM_FLOAT,
     .offset = offsetof(dropout_attr, ratio),
     .fallback = 0.5,
     .from_input = 1,
     .since = 12},
    {.name = "training_mode",
     .type = MFM_INT,
     .offset = offsetof(dropout_attr, training_mode),
     .from_input = 2,
     .since = 12},
    {.name = "seed", .type = MFM_INT, .offset = offsetof(dropout_attr, seed)},
    {0}};

enum { PARALLEL_FROM = 16384, BLOCK = 256 /* elements drawn at once */ };

static bool drops(const mfm_node *node)
{
    return node->training && ((const dropout_attr *)node->attr)->ratio > 0;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const double ratio = ((const dropout_attr *)node->attr)->ratio;
    if (!(ratio >= 0 && ratio < 1))
        return mfm_infer_fail(ctx, node, "ratio %g: must be in [0, 1)", ratio);
    if (node->n_out > 1 && node->out[1])
        return mfm_infer_fail(ctx, node, "output mask: is used: only the first output may be");
    return mfm_infer_same(ctx, node);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    if (drops(node))
        node->saved_size = (size_t)mfm_shape_count(&node->in[0]->shape);
    return MFM_OK;
}

/* Element i is numbered by its place in the whole batch, of all ranks. */
static void draw_mask(const mfm_node *node, int64_t count)
{
    const double ratio = ((const dropout_attr *)node->attr)->ratio;
    const real kept = (real)(1 / (1 - ratio));
    const int64_t samples = mfm_share_count(&node->share);
    const int64_t before = samples > 0 ? count / samples * mfm_share_first(&node->share) : 0;
#pragma omp parallel for if (count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += BLOCK) {
        const int64_t n = count - i < BLOCK ? count - i : BLOCK;
        mfm_random_choose(&node->key, (uint64_t)(before + i), (size_t)n, ratio, 0, kept,
                          node->saved + i);
    }
}

/* to = [to +] mask from */
static void multiply(const mfm_node *node, int64_t count, const real *restrict from,
                     real *restrict to, bool add)
{
    const real *restrict mask = node->saved;
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        to[i] = (add ? to[i] : 0) + mask[i] * from[i];
}

static void copy(int64_t count, const real *restrict from, real *restrict to, bool add)
{
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        to[i] = (add ? to[i] : 0) + from[i];
}

static void carry(const mfm_node *node, const real *from, real *to, bool add)
{
    const int64_t count = mfm_shape_count(&node->in[0]->shape);
    if (!from && !add)
        memset(to, 0, (size_t)count * sizeof *to);
    else if (from && drops(node))
        multiply(node, count, from, to, add);
    else if (from)
        copy(count, from, to, add);
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    if (lane == MFM_X && drops(node))
        draw_mask(node, mfm_shape_count(&node->in[0]->shape));
    carry(node, mfm_in(node, 0, lane), mfm_out(node, 0, lane), false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    real *to = mfm_in(node, 0, lane);
    if (to)
        carry(node, mfm_out(node, 0, lane), to, mfm_accumulates(node, 0, lane));
}

static const mfm_linear parts = {apply, adjoint};
static const mfm_port inputs[] = {{"data", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {
    {"output", MFM_DATA, false, false}, {"mask", MFM_INDEX, true, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]",
                                      "[4,7] @train",
                                      "[2,3,5,5] ratio=0.25 @train",
                                      "[9] ratio=0 @train",
                                      "[3,4] ratio=0.3 @train opset=7",
                                      "[3,4] training_mode=1 seed=3 opset=12",
                                      NULL};

const mfm_op mfm_op_dropout = {
    .name = "Dropout",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(dropout_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_SAME_ORDER,
    .batch = MFM_BATCH_ALL,
    .random = true,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "zeroes a random part of the elements in training",
    .samples = samples,
};

const mfm_impl mfm_cpu_dropout = {
    .op = &mfm_op_dropout,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
