/* Relu (ONNX 6, 13, 14): y = max(x, 0). The slope is 1 where y > 0 and 0 elsewhere, so only the
 * output is kept; at the kink x = 0 the slope is 0. */
#include "core/engine/rules.h"

static void value(const void *attr, size_t n, const real *x, real *y)
{
    (void)attr;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
}

static void slopes(const void *attr, size_t n, const real *x, const real *y, real *d1, real *d2)
{
    (void)attr, (void)x, (void)d2;
    for (size_t i = 0; i < n; i++)
        d1[i] = y[i] > 0 ? 1 : 0;
}

static const mfm_pointwise impl = {value, slopes};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,5]", "[4,7]", "[1]", "[]", "[2,3,4] opset=6", NULL};

const mfm_op mfm_op_relu = {
    .name = "Relu",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .infer = mfm_infer_same,
    .rule = &mfm_rule_piecewise,
    .impl = &impl,
    .reads = MFM_READS_OUT,
    .summary = "max(x, 0)",
    .samples = samples,
};
