/* Relu (ONNX 6, 13, 14): y = max(x, 0). The slope is 1 where y > 0 and 0 elsewhere, so only the
 * output is kept; at the kink x = 0 the slope is 0. Given the signs the operator is linear:
 * tangents and adjoints pass where y > 0, in one sweep. */
#include "core/engine/rules.h"

#include <string.h>

enum { PARALLEL_FROM = 16384 };

static void clip(int64_t count, const real *restrict x, real *restrict y)
{
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
}

/* to = [to +] from where y > 0 */
static void gate(int64_t count, const real *restrict y, const real *restrict from,
                 real *restrict to, bool add)
{
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        to[i] = (add ? to[i] : 0) + (y[i] > 0 ? from[i] : 0);
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const int64_t count = mfm_shape_count(&node->in[0]->shape);
    real *y = mfm_out(node, 0, MFM_X);
    if (lane == MFM_X)
        clip(count, mfm_in(node, 0, MFM_X), y);
    else
        gate(count, y, mfm_in(node, 0, lane), mfm_out(node, 0, lane), false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const int64_t count = mfm_shape_count(&node->in[0]->shape);
    const real *from = mfm_out(node, 0, lane);
    real *to = mfm_in(node, 0, lane);
    const bool add = mfm_accumulates(node, 0, lane);
    if (to && from)
        gate(count, mfm_out(node, 0, MFM_X), from, to, add);
    else if (to && !add)
        memset(to, 0, (size_t)count * sizeof *to);
}

static const mfm_linear parts = {apply, adjoint};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[]", "[2,3,4] opset=6", NULL};

const mfm_op mfm_op_relu = {
    .name = "Relu",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .linear = true,
    .traits = MFM_MONOTONE,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "max(x, 0)",
    .samples = samples,
};

const mfm_impl mfm_cpu_relu = {
    .op = &mfm_op_relu,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
