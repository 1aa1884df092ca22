/* Sqrt (ONNX 6, 13): y = sqrt(x). From the output alone
 *     f' = 1 / (2 y)        f'' = -1 / (4 y^3). */
#include "core/engine/rules.h"

#include <tgmath.h>

static void value(const void *attr, size_t n, const real *x, real *y)
{
    (void)attr;
    for (size_t i = 0; i < n; i++)
        y[i] = sqrt(x[i]);
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)attr, (void)x;
    for (size_t i = 0; i < n; i++)
        d1[i] = (real)0.5 / y[i];
    for (size_t i = 0; d2 && i < n; i++)
        d2[i] = (real)-0.25 / (y[i] * y[i] * y[i]);
}

static const mfm_pointwise parts = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]+", "[4,7]+", "[1]+", "[2,3,4]+ opset=6", NULL};

const mfm_op mfm_op_sqrt = {
    .name = "Sqrt",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_same,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "square root",
    .samples = samples,
};

const mfm_impl mfm_cpu_sqrt = {
    .op = &mfm_op_sqrt,
    .backend = MFM_CPU,
    .rule = &mfm_rule_pointwise,
    .parts = &parts,
    .reads = MFM_READS_OUT,
};
