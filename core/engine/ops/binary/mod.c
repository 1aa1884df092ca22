/*
 * Mod (ONNX 10, 13, 28) of real numbers: what is left of a when b is taken off k times,
 *     y = a - k b,      y_a = 1,      y_b = -k,
 * k = a / b rounded towards zero with fmod, so that y has the sign of a; rounded down without (from
 * version 28 on; before, that is for whole numbers), so that y has the sign of b. As k is constant
 * piece by piece, second derivatives are zero.
 */
#include "core/engine/ops/binary/two_operands.h"
#include "core/engine/ops/pointwise/elementwise.h"

typedef struct mod_attr {
    int64_t fmod;
} mod_attr;

enum { REALS_SINCE = 28 };

static inline real of_dividend(real a, real b)
{
    return fmod(a, b);
}

static inline real of_divisor(real a, real b)
{
    const real y = fmod(a, b);
    if (y == 0)
        return copysign(y, b);
    return (y < 0) != (b < 0) ? y + b : y;
}

static void value(const void *attr, size_t n, const real *a, const real *b, real *y)
{
    if (((const mod_attr *)attr)->fmod)
        for (size_t i = 0; i < n; i++)
            y[i] = of_dividend(a[i], b[i]);
    else
        for (size_t i = 0; i < n; i++)
            y[i] = of_divisor(a[i], b[i]);
}

static void by_a(const void *attr, size_t n, const real *a, const real *b, real *to)
{
    (void)attr, (void)a, (void)b;
    for (size_t i = 0; i < n; i++)
        to[i] = 1;
}

static void by_b(const void *attr, size_t n, const real *a, const real *b, real *to)
{
    value(attr, n, a, b, to);
    for (size_t i = 0; i < n; i++)
        to[i] = -rint((a[i] - to[i]) / b[i]);
}

static const mfm_two_operands parts = {.value = value, .first = {by_a, by_b}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    if (!((const mod_attr *)node->attr)->fmod && node->opset < REALS_SINCE)
        return mfm_infer_fail(ctx, node, "fmod 0: of real numbers it must be 1 before opset %d",
                              REALS_SINCE);
    return mfm_infer_broadcast(ctx, node);
}

static const mfm_port inputs[] = {
    {"A", MFM_DATA, false, false}, {"B", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"C", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "fmod", .type = MFM_INT, .offset = offsetof(mod_attr, fmod)}, {0}};

static const char *const samples[] = {"[2,3,4,5] [2,3,4,5]+ fmod=1 opset=10",
                                      "[2,3,4,3] [3,1,1]+ fmod=1",
                                      "[3,1] [4]+ opset=28",
                                      "[4,7] [] opset=28",
                                      "[] [2,3] fmod=1",
                                      NULL};

const mfm_op mfm_op_mod = {
    .name = "Mod",
    .domain = "",
    .since = 10,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mod_attr),
    .shape = infer_shape,
    .linear = true,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "the remainder of a division, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_mod = {
    .op = &mfm_op_mod,
    .backend = MFM_CPU,
    .setup = mfm_two_operands_setup,
    .rule = &mfm_rule_two_operands,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
