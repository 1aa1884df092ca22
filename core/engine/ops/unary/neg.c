/* Neg (ONNX 1, 6, 13): y = -x. */
#include "core/engine/ops/unary/unary.h"

static inline real f(const void *attr, real x)
{
    (void)attr;
    return -x;
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)attr, (void)x, (void)y, (void)d2;
    for (size_t i = 0; i < n; i++)
        d1[i] = -1;
}

MFM_UNARY_VALUE(f)
static const mfm_pointwise parts = {value, slopes};

static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[]", "[2,3,4] opset=1", NULL};

const mfm_op mfm_op_neg = {
    .name = "Neg",
    .domain = "",
    .since = 1,
    .inputs = mfm_unary_x,
    .outputs = mfm_unary_y,
    .shape = mfm_infer_same,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "-x",
    .samples = samples,
};

const mfm_impl mfm_cpu_neg = {
    .op = &mfm_op_neg,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
