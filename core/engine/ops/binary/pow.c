/*
 * Pow (ONNX 7, 12, 13, 15): y = a^b with numpy's broadcasting. Version 1 broadcast by an attribute.
 *     y_a = b a^(b-1)      y_b = y log a
 *     y_aa = b (b-1) a^(b-2)      y_ab = a^(b-1) (1 + b log a)      y_bb = y log^2 a
 * Terms with the factor b or b - 1 are zero where that is; those with log a are zero where a = 0
 * and the power of a in front of them vanishes there, and no numbers where a < 0. A single exponent
 * that has no derivative itself (a constant) has loops of its own, without `pow` where it is a
 * small whole number or a half of one.
 */
#include <string.h>

#include "core/engine/ops/binary/two_operands.h"
#include "core/engine/ops/pointwise/elementwise.h"

static inline real f(real a, real b)
{
    return pow(a, b);
}

static inline real f_a(real a, real b)
{
    return b == 0 ? 0 : b * pow(a, b - 1);
}

static inline real f_b(real a, real b)
{
    return a == 0 && b >= 0 ? 0 : pow(a, b) * log(a);
}

static inline real f_aa(real a, real b)
{
    const real factor = b * (b - 1);
    return factor == 0 ? 0 : factor * pow(a, b - 2);
}

static inline real f_ab(real a, real b)
{
    return a == 0 && b > 1 ? 0 : pow(a, b - 1) * (1 + b * log(a));
}

static inline real f_bb(real a, real b)
{
    return a == 0 && b >= 0 ? 0 : pow(a, b) * log(a) * log(a);
}

MFM_OF_TWO(value, f)
MFM_OF_TWO(by_a, f_a)
MFM_OF_TWO(by_b, f_b)
MFM_OF_TWO(by_aa, f_aa)
MFM_OF_TWO(by_ab, f_ab)
MFM_OF_TWO(by_bb, f_bb)

static const mfm_two_operands parts = {
    .value = value, .first = {by_a, by_b}, .second = {{by_aa, by_ab}, {by_ab, by_bb}}};

/* ---- one exponent for all, without a derivative ---------------------------------------------- */

enum { BLOCK = 1024, PARALLEL_FROM = 16384 };

static bool has_one_exponent(const mfm_node *node)
{
    return mfm_shape_count(&node->in[1]->shape) == 1 &&
           mfm_shape_equal(&node->in[0]->shape, &node->out[0]->shape);
}

static bool is_constant(const mfm_node *node)
{
    return has_one_exponent(node) && !mfm_in(node, 1, MFM_DX) && !mfm_in(node, 1, MFM_G) &&
           !mfm_in(node, 1, MFM_DG);
}

/* y = factor x^e; x may not be read where the factor is 0. */
static void power(real factor, real e, size_t n, const real *restrict x, real *restrict y)
{
    if (factor == 0 || e == 0)
        for (size_t i = 0; i < n; i++)
            y[i] = factor;
    else if (e == 1)
        for (size_t i = 0; i < n; i++)
            y[i] = factor * x[i];
    else if (e == 2)
        for (size_t i = 0; i < n; i++)
            y[i] = factor * (x[i] * x[i]);
    else if (e == 3)
        for (size_t i = 0; i < n; i++)
            y[i] = factor * (x[i] * x[i] * x[i]);
    else if (e == (real)0.5)
        for (size_t i = 0; i < n; i++)
            y[i] = factor * sqrt(x[i]);
    else if (e == (real)-0.5)
        for (size_t i = 0; i < n; i++)
            y[i] = factor / sqrt(x[i]);
    else if (e == -1)
        for (size_t i = 0; i < n; i++)
            y[i] = factor / x[i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] = factor * pow(x[i], e);
}

/* to = [to +] b a^(b-1) u + b (b-1) a^(b-2) a' g; u and a' NULL: zero. */
static void scale(const mfm_node *node, const real *u, const real *da, const real *g, real *to,
                  bool add)
{
    const real b = *mfm_in(node, 1, MFM_X), *a = mfm_in(node, 0, MFM_X);
    const int64_t count = mfm_shape_count(&node->out[0]->shape);
#pragma omp parallel for if (count >= PARALLEL_FROM)
    for (int64_t start = 0; start < count; start += BLOCK) {
        const size_t n = (size_t)(count - start < BLOCK ? count - start : BLOCK);
        real t[BLOCK], *sum = to + start;
        if (!add)
            memset(sum, 0, n * sizeof *sum);
        if (u) {
            power(b, b - 1, n, a + start, t);
            for (size_t i = 0; i < n; i++)
                sum[i] += t[i] * u[start + (int64_t)i];
        }
        if (da && g) {
            power(b * (b - 1), b - 2, n, a + start, t);
            for (size_t i = 0; i < n; i++)
                sum[i] += t[i] * da[start + (int64_t)i] * g[start + (int64_t)i];
        }
    }
}

static void forward(const mfm_node *node)
{
    if (!has_one_exponent(node)) {
        mfm_rule_two_operands.forward(node);
        return;
    }
    const real b = *mfm_in(node, 1, MFM_X), *a = mfm_in(node, 0, MFM_X);
    real *y = mfm_out(node, 0, MFM_X);
    const int64_t count = mfm_shape_count(&node->out[0]->shape);
#pragma omp parallel for if (count >= PARALLEL_FROM)
    for (int64_t start = 0; start < count; start += BLOCK)
        power(1, b, (size_t)(count - start < BLOCK ? count - start : BLOCK), a + start, y + start);
}

static void jvp(const mfm_node *node)
{
    if (is_constant(node))
        scale(node, mfm_in(node, 0, MFM_DX), NULL, NULL, mfm_out(node, 0, MFM_DX), false);
    else
        mfm_rule_two_operands.jvp(node);
}

static void vjp(const mfm_node *node)
{
    if (!is_constant(node))
        mfm_rule_two_operands.vjp(node);
    else if (mfm_in(node, 0, MFM_G))
        scale(node, mfm_out(node, 0, MFM_G), NULL, NULL, mfm_in(node, 0, MFM_G),
              mfm_accumulates(node, 0, MFM_G));
}

static void vjp_t(const mfm_node *node)
{
    if (!is_constant(node))
        mfm_rule_two_operands.vjp_t(node);
    else if (mfm_in(node, 0, MFM_DG))
        scale(node, mfm_out(node, 0, MFM_DG), mfm_in(node, 0, MFM_DX), mfm_out(node, 0, MFM_G),
              mfm_in(node, 0, MFM_DG), mfm_accumulates(node, 0, MFM_DG));
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};

static const mfm_port inputs[] = {
    {"X", MFM_DATA, false, false}, {"Y", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Z", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4,5]+ [2,3,4,5]",
                                      "[2,3,4,3]+ [2,3,1,1]",
                                      "[3,1,1]+ [2,3,2,4]",
                                      "[2,3,4]+ [1]",
                                      "[3,1]+ [4]",
                                      "[4,7]+ []",
                                      "[]+ [2,3]",
                                      "[]+ []",
                                      "[2,3]+ [2,3] opset=7",
                                      NULL};

const mfm_op mfm_op_pow = {
    .name = "Pow",
    .domain = "",
    .since = 7,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_broadcast,
    .traits = MFM_MIXES_TYPES,
    .batch = MFM_BATCH_ALL,
    .layout = MFM_LAYOUT_ALIKE,
    .summary = "power, with broadcasting",
    .samples = samples,
};

const mfm_impl mfm_cpu_pow = {
    .op = &mfm_op_pow,
    .backend = MFM_CPU,
    .setup = mfm_two_operands_setup,
    .rule = &rule,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
