/* Reciprocal (ONNX 1, 6, 13): y = 1 / x. From the output alone
 *     f' = -y^2           f'' = 2 y^3. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return 1 / x;
}

static inline real slope(const void *attr, real y)
{
    (void)attr;
    return -y * y;
}

static inline real curvature(const void *attr, real y)
{
    (void)attr;
    return 2 * y * y * y;
}

MFM_UNARY_OF_Y(f, slope, curvature)

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[]", "[2,3,4] opset=1", NULL};

const mfm_op mfm_op_reciprocal = {
    .name = "Reciprocal",
    .domain = "",
    .since = 1,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "1 / x",
    .samples = samples,
};

const mfm_impl mfm_cpu_reciprocal = {
    .op = &mfm_op_reciprocal,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
