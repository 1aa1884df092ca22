/* Where (ONNX 9, 16): X where the condition holds, Y elsewhere, with numpy's broadcasting of all
 * three. The condition has no derivative. */
#include "core/engine/ops/pointwise/elementwise.h"
#include "core/engine/ops/select/select.h"

enum { CONDITION, X, Y, PARALLEL_FROM = 16384 };

static void choose(const mfm_node *node)
{
    const int64_t count = mfm_shape_count(&node->out[0]->shape);
    const real *condition = mfm_select_full(node, CONDITION);
    real *restrict from = node->saved;
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        from[i] = condition[i] != 0 ? X : Y;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    if (lane == MFM_X)
        choose(node);
    mfm_select_take(node, lane);
}

static const mfm_linear parts = {apply, mfm_select_give};

static const mfm_port inputs[] = {{"condition", MFM_INDEX, false, false},
                                  {"X", MFM_DATA, false, false},
                                  {"Y", MFM_DATA, false, false},
                                  {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5]<2 [2,3,4,5] [2,3,4,5]",
                                      "[2,1,4,5]<2 [2,3,1,1] [3,1,1]",
                                      "[4]<2 [3,1] []",
                                      "[1]<2 [2,3] [2,3]",
                                      "[2,3]<2 [] []",
                                      "[]<2 [] []",
                                      "[2,3,4]<2 [2,3,4] [4] opset=9",
                                      NULL};

const mfm_op mfm_op_where = {
    .name = "Where",
    .domain = "",
    .since = 9,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_broadcast,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "X where the condition holds, Y elsewhere, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_where = {
    .op = &mfm_op_where,
    .backend = MFM_CPU,
    .setup = mfm_select_setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
