/* Sigmoid (ONNX 6, 13): y = 1 / (1 + exp(-x)). From the output alone
 *     f' = y (1 - y)        f'' = y (1 - y) (1 - 2 y).
 * exp(-x) may overflow to infinity: then y is 0, its right limit. */
#include "core/engine/rules.h"

#include <tgmath.h>

static void value(const void *attr, size_t n, const real *x, real *y)
{
    (void)attr;
    for (size_t i = 0; i < n; i++)
        y[i] = 1 / (1 + exp(-x[i]));
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)attr, (void)x;
    for (size_t i = 0; i < n; i++)
        d1[i] = y[i] * (1 - y[i]);
    for (size_t i = 0; d2 && i < n; i++)
        d2[i] = y[i] * (1 - y[i]) * (1 - 2 * y[i]);
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[]", "[2,3,4] opset=6", NULL};

const mfm_op mfm_op_sigmoid = {
    .name = "Sigmoid",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .traits = MFM_PROBABILITIES | MFM_LOGISTIC,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "1 / (1 + exp(-x))",
    .samples = samples,
};

const mfm_impl mfm_cpu_sigmoid = {
    .op = &mfm_op_sigmoid,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
