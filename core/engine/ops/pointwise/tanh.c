/* Tanh (ONNX 6, 13): y = tanh(x). From the output alone
 *     f' = 1 - y^2          f'' = -2 y (1 - y^2). */
#include "core/engine/rules.h"

#include <tgmath.h>

static void value(const void *attr, size_t n, const real *x, real *y)
{
    (void)attr;
    for (size_t i = 0; i < n; i++)
        y[i] = tanh(x[i]);
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)attr, (void)x;
    for (size_t i = 0; i < n; i++)
        d1[i] = 1 - y[i] * y[i];
    for (size_t i = 0; d2 && i < n; i++)
        d2[i] = -2 * y[i] * (1 - y[i] * y[i]);
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[]", "[2,3,4] opset=6", NULL};

const mfm_op mfm_op_tanh = {
    .name = "Tanh",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "hyperbolic tangent",
    .samples = samples,
};

const mfm_impl mfm_cpu_tanh = {
    .op = &mfm_op_tanh,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
