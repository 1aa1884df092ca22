/*
 * The four passes of BatchNormalization over x [n, c, ...], a channel at a time:
 *     y = gamma xhat + beta,   xhat = s (x - mu),   s = 1 / sqrt(v + epsilon)
 * In training mu and v are mean and population variance over the N elements of the channel,
 * and every pass differentiates through them; in inference they are the running statistics,
 * constants.
 *
 * Write <u> for the mean of u over the channel, and for the direction of differentiation
 *     dmu = <x'>,   r = <xhat x'>.
 * From v' = 2 <(x - mu) x'> = 2 r / s and s' = -(s^3 / 2) v' = -s^2 r,
 *     xhat' = s (x' - dmu - r xhat).
 *
 * jvp    y' = gamma xhat' + gamma' xhat + beta'.
 *
 * vjp    xhat' is symmetric in x', so with a = <g>, b = <g xhat>
 *     gx = gamma s (g - a - b xhat),   ggamma = N b,   gbeta = N a.
 *
 * vjp_t  differentiates these, with g' the tangent of g. First
 *     a' = <g'>,   b' = <g' xhat> + <g xhat'> = <g' xhat> + s (<g x'> - a dmu - b r),
 *     (gamma s)' = gamma' s - gamma s^2 r,
 * so that
 *     gx' = (gamma s)' (g - a - b xhat) + gamma s (g' - a' - b' xhat - b xhat')
 *         = (gamma s)' g + gamma s g' - gamma s^2 b x'
 *           + (-(gamma s)' b - gamma s b' + gamma s^2 b r) xhat
 *           - (gamma s)' a - gamma s a' + gamma s^2 b dmu,
 *     ggamma' = N b',   gbeta' = N a'.
 *
 * In inference the same formulas hold with dmu = r = a = b = a' = b' = 0 in gx, gx' and y', as mu
 * and s are constants; the parameters' adjoints keep their sums.
 *
 * Each pass is one sweep of sums a channel and one sweep that combines x, x', g and g' linearly
 * with coefficients made from them. saved: mu, s, v, each [c].
 *
 * With a Relu behind, and a summand z between, the output is max(y + z, 0). The Relu's slope h is 0
 * or 1 and locally constant, so the same formulas hold with h g and h g' for g and g', the tangent
 * is h (y' + z'), and the adjoint of z is h g, its tangent h g'. No sweep is added. h is read off
 * the output when there is a summand, and found anew from x when not, so that the output need not
 * be kept. With another function behind, core/engine/kernels/channels_function.h has what stands
 * for g, g' and the outputs.
 */
#include "core/engine/ops/batch_norm/batch_norm_pass.h"

#include <math.h>

/* The means of one channel, in the letters above. In inference mu and s have no tangents, so that
 * dmu and r are zero. */
typedef struct means {
    double s, dmu, r, a, b, da, db;
} means;

static means means_of(const mfm_bn_pass *p, int64_t c)
{
    const double n = p->rows, s = (double)p->invstd[c];
    means m = {.s = s};
    if (p->node->training) {
        m.dmu = mfm_bn_at(p->sum[MFM_DX], c) / n;
        m.r = s * mfm_bn_at(p->centred[MFM_DX], c) / n;
    }
    m.a = mfm_bn_at(p->sum[MFM_G], c) / n;
    m.b = s * mfm_bn_at(p->centred[MFM_G], c) / n;
    m.da = mfm_bn_at(p->sum[MFM_DG], c) / n;
    m.db = s * (mfm_bn_at(p->centred[MFM_DG], c) + mfm_bn_at(p->product, c)) / n;
    m.db -= s * (m.a * m.dmu + m.b * m.r);
    return m;
}

/* ---- the passes ----------------------------------------------------------------------------- */

static void find_statistics(const mfm_bn_pass *p)
{
    const double epsilon = ((const mfm_batch_norm_attr *)p->node->attr)->epsilon;
    const int64_t channels = p->size.channels;
    const bool training = p->node->training;
    if (training)
        mfm_bn_moments(p);
    for (int64_t c = 0; c < channels; c++) {
        const double mean = training ? p->total[c] : mfm_bn_parameter(p, MFM_BN_MEAN, MFM_X, c);
        const double variance =
            training ? p->total[channels + c] : mfm_bn_parameter(p, MFM_BN_VARIANCE, MFM_X, c);
        p->mean[c] = (real)mean;
        p->variance[c] = (real)variance;
        p->invstd[c] = (real)(1 / sqrt(variance + epsilon));
    }
}

static mfm_bn_terms forward_terms(const mfm_bn_pass *p, int64_t c)
{
    return (mfm_bn_terms){.constant = mfm_bn_parameter(p, MFM_BN_BIAS, MFM_X, c),
                          .factor[MFM_X] = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_X, c)};
}

static void forward(const mfm_node *node)
{
    mfm_bn_pass p;
    mfm_bn_begin(node, &p);
    find_statistics(&p);
    mfm_bn_write_output(&p, forward_terms, MFM_X);
}

void mfm_batch_norm_restore(const mfm_node *node)
{
    mfm_bn_pass p;
    mfm_bn_begin(node, &p);
    mfm_bn_write_output(&p, forward_terms, MFM_X);
}

static mfm_bn_terms jvp_terms(const mfm_bn_pass *p, int64_t c)
{
    const means m = means_of(p, c);
    const double gs = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_X, c) * m.s;
    return (mfm_bn_terms){.constant = mfm_bn_parameter(p, MFM_BN_BIAS, MFM_DX, c) - gs * m.dmu,
                          .factor[MFM_X] = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_DX, c) - gs * m.r,
                          .factor[MFM_DX] = gs};
}

static void jvp(const mfm_node *node)
{
    mfm_bn_pass p;
    mfm_bn_begin(node, &p);
    mfm_bn_set_stream(&p, MFM_DX, mfm_bn_input(node, MFM_DX));
    mfm_bn_hook_streams(&p);
    if (node->training && p.stream[MFM_DX])
        mfm_bn_sum_streams(&p);
    else if (!mfm_in(node, MFM_BN_SCALE, MFM_DX))
        p.stream[MFM_X] = NULL; /* its factor is zero */
    mfm_bn_write_output(&p, jvp_terms, MFM_DX);
}

static real mine_of(const mfm_bn_pass *p, double sum)
{
    return (real)(!p->share.exchange || p->share.first == 0 ? sum : 0) + 0;
}

/* Writes or adds the adjoints (G) or their tangents (DG) of scale and bias. What is summed over all
 * ranks is the first one's part, zero that of the others. Adding zero makes -0 the 0 that it
 * becomes when ranks add up. */
static void parameter_adjoints(const mfm_bn_pass *p, enum mfm_lane lane)
{
    real *scale = mfm_in(p->node, MFM_BN_SCALE, lane), *bias = mfm_in(p->node, MFM_BN_BIAS, lane);
    const bool add_scale = mfm_accumulates(p->node, MFM_BN_SCALE, lane);
    const bool add_bias = mfm_accumulates(p->node, MFM_BN_BIAS, lane);
    const double n = p->rows;
    for (int64_t c = 0; scale && c < p->size.channels; c++) {
        const means m = means_of(p, c);
        scale[c] = (add_scale ? scale[c] : 0) + mine_of(p, n * (lane == MFM_G ? m.b : m.db));
    }
    for (int64_t c = 0; bias && c < p->size.channels; c++)
        bias[c] = (add_bias ? bias[c] : 0) + mine_of(p, mfm_bn_at(p->sum[lane], c));
}

static bool wants_parameters(const mfm_node *node, enum mfm_lane lane)
{
    return mfm_in(node, MFM_BN_SCALE, lane) || mfm_in(node, MFM_BN_BIAS, lane);
}

static mfm_bn_terms vjp_terms(const mfm_bn_pass *p, int64_t c)
{
    const means m = means_of(p, c);
    const double gs = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_X, c) * m.s;
    return (mfm_bn_terms){.constant = -gs * m.a, .factor[MFM_X] = -gs * m.b, .factor[MFM_G] = gs};
}

static mfm_bn_terms vjp_terms_fixed(const mfm_bn_pass *p, int64_t c)
{
    return (mfm_bn_terms){.factor[MFM_G] =
                              mfm_bn_parameter(p, MFM_BN_SCALE, MFM_X, c) * (double)p->invstd[c]};
}

static void vjp(const mfm_node *node)
{
    mfm_bn_pass p;
    mfm_bn_begin(node, &p);
    mfm_bn_set_stream(&p, MFM_G, mfm_out(node, 0, MFM_G));
    mfm_bn_hook_streams(&p);
    if (node->training || wants_parameters(node, MFM_G))
        mfm_bn_sum_streams_for(&p, MFM_G);
    if (!node->training)
        p.stream[MFM_X] = NULL;
    mfm_bn_write_adjoints(&p, node->training ? vjp_terms : vjp_terms_fixed, MFM_G);
    parameter_adjoints(&p, MFM_G);
}

static mfm_bn_terms vjp_t_terms(const mfm_bn_pass *p, int64_t c)
{
    const means m = means_of(p, c);
    const double gamma = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_X, c), gs = gamma * m.s;
    const double dgs = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_DX, c) * m.s - gs * m.s * m.r;
    const double gssb = gs * m.s * m.b;
    return (mfm_bn_terms){.constant = -dgs * m.a - gs * m.da + gssb * m.dmu,
                          .factor[MFM_X] = -dgs * m.b - gs * m.db + gssb * m.r,
                          .factor[MFM_DX] = -gssb,
                          .factor[MFM_G] = dgs,
                          .factor[MFM_DG] = gs};
}

static mfm_bn_terms vjp_t_terms_fixed(const mfm_bn_pass *p, int64_t c)
{
    const double s = (double)p->invstd[c];
    return (mfm_bn_terms){.factor[MFM_G] = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_DX, c) * s,
                          .factor[MFM_DG] = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_X, c) * s};
}

/* u' as the hooks want it, before the streams of the output are set. */
static void find_tangent_line(mfm_bn_pass *p)
{
    enum { LINE, OF_X, OF_DX };
    if (p->node->training && p->stream[MFM_DX])
        mfm_bn_sum_streams(p);
    for (int row = LINE; row <= OF_DX; row++) {
        for (int64_t c = 0; c < p->size.channels; c++) {
            const mfm_bn_terms t = jvp_terms(p, c);
            const double of_x = t.factor[MFM_X] * (double)p->invstd[c];
            p->column[c] = (real)(row == LINE   ? t.constant - of_x * (double)p->mean[c]
                                  : row == OF_X ? of_x
                                                : t.factor[MFM_DX]);
        }
        mfm_channels_function_set(&p->hooked, MFM_CHANNELS_LINE + row, p->column);
    }
}

static void vjp_t(const mfm_node *node)
{
    mfm_bn_pass p;
    mfm_bn_begin(node, &p);
    mfm_bn_set_stream(&p, MFM_DX, mfm_bn_input(node, MFM_DX));
    if (p.tail->function)
        find_tangent_line(&p);
    mfm_bn_set_stream(&p, MFM_G, mfm_out(node, 0, MFM_G));
    mfm_bn_set_stream(&p, MFM_DG, mfm_out(node, 0, MFM_DG));
    mfm_bn_hook_streams(&p);
    if (p.tail->function && !p.stream[MFM_DG])
        p.stream[MFM_DG] = p.stream[MFM_G]; /* it is there, made of g */
    if (node->training || wants_parameters(node, MFM_DG))
        mfm_bn_sum_streams_for(&p, MFM_DG);
    if (!node->training)
        p.stream[MFM_X] = p.stream[MFM_DX] = NULL;
    mfm_bn_write_adjoints(&p, node->training ? vjp_t_terms : vjp_t_terms_fixed, MFM_DG);
    parameter_adjoints(&p, MFM_DG);
}

const mfm_rule mfm_rule_batch_norm = {forward, jvp, vjp, vjp_t};
