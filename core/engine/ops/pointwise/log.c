/* Log (ONNX 6, 13): y = log(x), f' = 1 / x, f'' = -1 / x^2. */
#include "core/engine/rules.h"

#include <tgmath.h>

static void value(const void *attr, size_t n, const real *x, real *y)
{
    (void)attr;
    for (size_t i = 0; i < n; i++)
        y[i] = log(x[i]);
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)attr, (void)y;
    for (size_t i = 0; i < n; i++)
        d1[i] = 1 / x[i];
    for (size_t i = 0; d2 && i < n; i++)
        d2[i] = -1 / (x[i] * x[i]);
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]+", "[4,7]+", "[1]+", "[2,3,4]+ opset=6", NULL};

const mfm_op mfm_op_log = {
    .name = "Log",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .traits = MFM_LOGARITHM,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "natural logarithm",
    .samples = samples,
};

const mfm_impl mfm_cpu_log = {
    .op = &mfm_op_log,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
