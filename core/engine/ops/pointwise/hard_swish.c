/* HardSwish (ONNX 14, 22): y = x max(0, min(1, x/6 + 1/2)). Between -3 and 3 that is x^2/6 + x/2,
 * so f'  = 0 below, x/3 + 1/2 between, 1 above f'' = 1/3 between, 0 outside. y is not monotonic
 * below 0, so the input is kept. */
#include <math.h>

#include "core/engine/fusion.h"
#include "core/engine/rules.h"

static void value(const void *attr, size_t n, const real *x, real *y)
{
    (void)attr;
    for (size_t i = 0; i < n; i++) {
        const real gate = x[i] / 6 + (real)0.5;
        const real raised = gate < 0 ? 0 : gate;
        y[i] = x[i] * (raised > 1 ? 1 : raised);
    }
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)attr, (void)y;
    for (size_t i = 0; i < n; i++) {
        const real above = x[i] > 0 ? 1 : 0;
        d1[i] = ((x[i] > -3) & (x[i] < 3)) ? x[i] / 3 + (real)0.5 : above;
    }
    for (size_t i = 0; d2 && i < n; i++)
        d2[i] = ((x[i] > -3) & (x[i] < 3)) ? (real)1 / 3 : 0;
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", NULL};

/* As exporters write it before there was a HardSwish. */
static const char *const fuses[] = {"s = HardSigmoid X; Y = Mul X s", NULL};

static bool fused(const mfm_fusion *chain, void *attr)
{
    (void)attr;
    return fabs(mfm_fusion_attr_number(chain, "s", "alpha") - 1. / 6) < 1e-7 &&
           mfm_fusion_attr_number(chain, "s", "beta") == 0.5;
}

const mfm_op mfm_op_hard_swish = {
    .name = "HardSwish",
    .domain = "",
    .since = 14,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .fuses = fuses,
    .fused = fused,
    .summary = "x max(0, min(1, x/6 + 1/2))",
    .samples = samples,
};

const mfm_impl mfm_cpu_hard_swish = {
    .op = &mfm_op_hard_swish,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
