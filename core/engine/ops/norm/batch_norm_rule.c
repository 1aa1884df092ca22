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
 * be kept.
 */
#include "core/engine/ops/norm/batch_norm.h"

#include <math.h>
#include <string.h>

#include "core/engine/kernels/strided.h"

/* Results of the sum sweeps: sum and centred sum of up to three streams, and one product. */
enum { MAX_SUMS = 7 };

mfm_channels mfm_batch_norm_size(const mfm_node *node)
{
    const mfm_shape *x = &node->in[MFM_BN_INPUT]->shape;
    return (mfm_channels){.rows = mfm_shape_count(x) / x->dim[1], .channels = x->dim[1]};
}

/* Whose statistics these are: those of all ranks, or of the samples at hand. */
static mfm_share share_of(const mfm_node *node)
{
    mfm_share share = mfm_share_for(&node->share, node->in[MFM_BN_INPUT]->shape.dim[0]);
    if (share.local_statistics && node->training)
        share.exchange = NULL;
    return share;
}

/* Lines and volumes do not have the channels innermost: they are turned for a pass. */
static bool is_turned(const mfm_node *node)
{
    const int rank = node->in[MFM_BN_INPUT]->shape.rank;
    return rank != 2 && rank != 4;
}

size_t mfm_batch_norm_scratch(const mfm_node *node)
{
    const mfm_share share = share_of(node);
    mfm_channels size = mfm_batch_norm_size(node);
    size.share = &share;
    const size_t channels = (size_t)size.channels;
    const size_t turned = is_turned(node) ? (size_t)(size.rows * size.channels) : 0;
    return (MFM_LANES + 1) * turned + MAX_SUMS * channels * (sizeof(double) / sizeof(real)) +
           mfm_channels_scratch(size, MAX_SUMS) + (3 + MFM_MAX_STREAMS) * channels;
}

/* ---- a pass in progress --------------------------------------------------------------------- */

/* The node's memory, and the streams of a pass: x, x', g, g', NULL where zero or unused. */
typedef struct pass {
    const mfm_node *node;
    mfm_share share;
    mfm_channels size;              /* whose share is that one */
    double rows;                    /* of all ranks */
    real *mean, *invstd, *variance; /* saved */
    double *total;                  /* [MAX_SUMS, c] */
    void *partials;
    real *constant, *factor; /* [c], [MFM_MAX_STREAMS, c] */
    real *shift, *scale;     /* [c] each: y = shift + scale x */
    const mfm_batch_norm_tail *tail;
    real *turned; /* [MFM_LANES + 1, rows, c]: the streams and the result; NULL: not turned */
    const real *stream[MFM_LANES];
    /* Where the sums of a stream, u and u (x - mu), and of g x' lie in total; NULL: zero. */
    const double *sum[MFM_LANES], *centred[MFM_LANES], *product;
} pass;

/* The axes [n, c, the others] and their strides in the tensor, and turned. */
static mfm_shape turned_views(const pass *p, int64_t tensor[MFM_MAX_RANK],
                              int64_t turned[MFM_MAX_RANK])
{
    const mfm_shape *x = &p->node->in[MFM_BN_INPUT]->shape;
    const int64_t n = x->dim[0], c = p->size.channels, area = p->size.rows / n;
    const int64_t plain[] = {c * area, area, 1}, inner[] = {c * area, 1, c};
    memcpy(tensor, plain, sizeof plain);
    memcpy(turned, inner, sizeof inner);
    return (mfm_shape){.rank = 3, .dim = {n, c, area}};
}

static void set_stream(pass *p, enum mfm_lane lane, const real *values)
{
    int64_t from[MFM_MAX_RANK], to[MFM_MAX_RANK];
    p->stream[lane] = values;
    if (!p->turned || !values)
        return;
    real *turned = p->turned + (int)lane * p->size.rows * p->size.channels;
    const mfm_shape shape = turned_views(p, from, to);
    mfm_strided_copy(&shape, values, from, 1, turned, to, false);
    p->stream[lane] = turned;
}

/* The combination, written back where it was turned. */
static void combine(const pass *p, mfm_channel_combination f)
{
    int64_t to[MFM_MAX_RANK], from[MFM_MAX_RANK];
    real *const y = f.y;
    const bool add = f.add;
    if (p->turned) {
        f.y = p->turned + MFM_LANES * p->size.rows * p->size.channels;
        f.add = false;
    }
    mfm_channels_combine(p->size, &f);
    if (!p->turned)
        return;
    const mfm_shape shape = turned_views(p, to, from);
    mfm_strided_copy(&shape, f.y, from, 1, y, to, add);
}

/* In place, as the size points to the share. */
static void begin(const mfm_node *node, pass *at)
{
    *at = (pass){.node = node, .share = share_of(node), .size = mfm_batch_norm_size(node)};
    at->size.share = &at->share;
    at->rows = (double)mfm_channels_rows(at->size);
    pass p = *at;
    const int64_t c = p.size.channels;
    p.mean = node->saved + MFM_BN_SAVED_MEAN * c;
    p.invstd = node->saved + MFM_BN_SAVED_INVSTD * c;
    p.variance = node->saved + MFM_BN_SAVED_VARIANCE * c;
    p.total = (double *)(void *)node->scratch;
    real *partials = (real *)(p.total + MAX_SUMS * c);
    p.partials = partials;
    p.constant = partials + mfm_channels_scratch(p.size, MAX_SUMS);
    p.factor = p.constant + c;
    p.shift = p.factor + MFM_MAX_STREAMS * c;
    p.scale = p.shift + c;
    p.tail = node->impl->parts;
    p.turned = is_turned(node) ? p.scale + c : NULL;
    set_stream(&p, MFM_X, mfm_in(node, MFM_BN_INPUT, MFM_X));
    *at = p;
}

static double at(const double *sums, int64_t c)
{
    return sums ? sums[c] : 0;
}

static double parameter(const pass *p, int input, enum mfm_lane lane, int64_t c)
{
    const real *values = mfm_in(p->node, input, lane);
    return values ? (double)values[c] : 0;
}

/* The means of one channel, in the letters above. In inference mu and s have no tangents, so that
 * dmu and r are zero. */
typedef struct means {
    double s, dmu, r, a, b, da, db;
} means;

static means means_of(const pass *p, int64_t c)
{
    const double n = p->rows, s = (double)p->invstd[c];
    means m = {.s = s};
    if (p->node->training) {
        m.dmu = at(p->sum[MFM_DX], c) / n;
        m.r = s * at(p->centred[MFM_DX], c) / n;
    }
    m.a = at(p->sum[MFM_G], c) / n;
    m.b = s * at(p->centred[MFM_G], c) / n;
    m.da = at(p->sum[MFM_DG], c) / n;
    m.db = s * (at(p->centred[MFM_DG], c) + at(p->product, c)) / n;
    m.db -= s * (m.a * m.dmu + m.b * m.r);
    return m;
}

/* One channel's result: constant + sum over lanes of factor[lane] stream[lane], where X stands for
 * xhat. */
typedef struct terms {
    double constant, factor[MFM_LANES];
} terms;

typedef terms terms_fn(const pass *p, int64_t c);

/* y = shift + scale x, as forward has it. */
static void find_line(const pass *p)
{
    for (int64_t c = 0; c < p->size.channels; c++) {
        const double scale = parameter(p, MFM_BN_SCALE, MFM_X, c) * (double)p->invstd[c];
        p->scale[c] = (real)scale;
        p->shift[c] = (real)(parameter(p, MFM_BN_BIAS, MFM_X, c) - scale * (double)p->mean[c]);
    }
}

static mfm_channel_gate gate_of(const pass *p)
{
    if (p->tail->summand)
        return (mfm_channel_gate){.y = mfm_out(p->node, 0, MFM_X)};
    if (p->tail->relu)
        find_line(p);
    return (mfm_channel_gate){
        .x = mfm_in(p->node, MFM_BN_INPUT, MFM_X), .constant = p->shift, .factor = p->scale};
}

/* The sums of the streams x', g, g' that are there, and of g x'. */
static void sum_streams(pass *p)
{
    const mfm_channel_gate gate = gate_of(p);
    mfm_channel_sums wanted = {.x = p->stream[MFM_X], .center = p->mean, .gate = &gate};
    static const enum mfm_lane lanes[] = {MFM_G, MFM_DG, MFM_DX};
    const int64_t c = p->size.channels;
    for (int i = 0; i < 3; i++) {
        const real *stream = p->stream[lanes[i]];
        if (!stream)
            continue;
        p->sum[lanes[i]] = p->total + 2 * wanted.n * c;
        p->centred[lanes[i]] = p->total + (2 * wanted.n + 1) * c;
        wanted.streams[wanted.n++] = stream;
        wanted.n_gated += p->tail->relu && lanes[i] != MFM_DX;
    }
    if (p->stream[MFM_G] && p->stream[MFM_DX]) { /* then g is the first stream */
        wanted.pair = p->stream[MFM_DX];
        p->product = p->total + 2 * wanted.n * c;
    }
    mfm_channels_sums(p->size, &wanted, p->total, p->partials);
}

/* The streams that are there, with the factors that terms_of gives; xhat is s x - s mu. */
static mfm_channel_combination combination_of(const pass *p, terms_fn *terms_of)
{
    const int64_t channels = p->size.channels;
    mfm_channel_combination f = {.constant = p->constant, .factor = p->factor};
    for (int lane = 0; lane < MFM_LANES; lane++) {
        if (lane == MFM_G)
            f.first_gated = f.n;
        if (p->stream[lane])
            f.streams[f.n++] = p->stream[lane];
    }
    if (!p->tail->relu)
        f.first_gated = f.n;
    for (int64_t c = 0; c < channels; c++) {
        terms t = terms_of(p, c);
        t.factor[MFM_X] *= (double)p->invstd[c];
        p->constant[c] = (real)(t.constant - t.factor[MFM_X] * (double)p->mean[c]);
        real *factor = p->factor + c;
        for (int lane = 0; lane < MFM_LANES; lane++)
            if (p->stream[lane]) {
                *factor = (real)t.factor[lane];
                factor += channels;
            }
    }
    return f;
}

/* An output lane: the terms and the summand's lane, closed where the Relu is. */
static void write_output(const pass *p, terms_fn *terms_of, enum mfm_lane lane)
{
    const mfm_channel_gate gate = gate_of(p);
    mfm_channel_combination f = combination_of(p, terms_of);
    f.gate = &gate;
    f.summand = p->tail->summand ? mfm_in(p->node, MFM_BN_SUMMAND, lane) : NULL;
    if (p->tail->relu)
        f.finish = lane == MFM_X ? MFM_FINISH_RELU : MFM_FINISH_GATE;
    f.y = mfm_out(p->node, 0, lane);
    combine(p, f);
}

/* Lane G or DG of the input, from the terms, and of the summand. */
static void write_adjoints(const pass *p, terms_fn *terms_of, enum mfm_lane lane)
{
    const mfm_node *node = p->node;
    real *summand = p->tail->summand ? mfm_in(node, MFM_BN_SUMMAND, lane) : NULL;
    const bool add_summand = summand && mfm_accumulates(node, MFM_BN_SUMMAND, lane);
    const mfm_channel_gate gate = gate_of(p);
    mfm_channel_combination f = combination_of(p, terms_of);
    f.gate = &gate;
    f.y = mfm_in(node, MFM_BN_INPUT, lane);
    f.add = f.y && mfm_accumulates(node, MFM_BN_INPUT, lane);
    if (p->stream[lane]) {
        f.passed = summand;
        f.add_passed = add_summand;
    } else if (summand && !add_summand) {
        memset(summand, 0, (size_t)(p->size.rows * p->size.channels) * sizeof *summand);
    }
    if (f.y || f.passed)
        combine(p, f);
}

/* ---- the passes ----------------------------------------------------------------------------- */

static void find_statistics(const pass *p)
{
    const double epsilon = ((const mfm_batch_norm_attr *)p->node->attr)->epsilon;
    const int64_t channels = p->size.channels;
    const bool training = p->node->training;
    if (training)
        mfm_channels_moments(p->size, p->stream[MFM_X], p->total, p->partials);
    for (int64_t c = 0; c < channels; c++) {
        const double mean = training ? p->total[c] : parameter(p, MFM_BN_MEAN, MFM_X, c);
        const double variance =
            training ? p->total[channels + c] : parameter(p, MFM_BN_VARIANCE, MFM_X, c);
        p->mean[c] = (real)mean;
        p->variance[c] = (real)variance;
        p->invstd[c] = (real)(1 / sqrt(variance + epsilon));
    }
}

static terms forward_terms(const pass *p, int64_t c)
{
    return (terms){.constant = parameter(p, MFM_BN_BIAS, MFM_X, c),
                   .factor[MFM_X] = parameter(p, MFM_BN_SCALE, MFM_X, c)};
}

static void forward(const mfm_node *node)
{
    pass p;
    begin(node, &p);
    find_statistics(&p);
    write_output(&p, forward_terms, MFM_X);
}

void mfm_batch_norm_restore(const mfm_node *node)
{
    pass p;
    begin(node, &p);
    write_output(&p, forward_terms, MFM_X);
}

static terms jvp_terms(const pass *p, int64_t c)
{
    const means m = means_of(p, c);
    const double gs = parameter(p, MFM_BN_SCALE, MFM_X, c) * m.s;
    return (terms){.constant = parameter(p, MFM_BN_BIAS, MFM_DX, c) - gs * m.dmu,
                   .factor[MFM_X] = parameter(p, MFM_BN_SCALE, MFM_DX, c) - gs * m.r,
                   .factor[MFM_DX] = gs};
}

static void jvp(const mfm_node *node)
{
    pass p;
    begin(node, &p);
    set_stream(&p, MFM_DX, mfm_in(node, MFM_BN_INPUT, MFM_DX));
    if (node->training && p.stream[MFM_DX])
        sum_streams(&p);
    else if (!mfm_in(node, MFM_BN_SCALE, MFM_DX))
        p.stream[MFM_X] = NULL; /* its factor is zero */
    write_output(&p, jvp_terms, MFM_DX);
}

static real mine_of(const pass *p, double sum)
{
    return (real)(!p->share.exchange || p->share.first == 0 ? sum : 0) + 0;
}

/* Writes or adds the adjoints (G) or their tangents (DG) of scale and bias. What is summed over all
 * ranks is the first one's part, zero that of the others. Adding zero makes -0 the 0 that it
 * becomes when ranks add up. */
static void parameter_adjoints(const pass *p, enum mfm_lane lane)
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
        bias[c] = (add_bias ? bias[c] : 0) + mine_of(p, at(p->sum[lane], c));
}

static bool wants_parameters(const mfm_node *node, enum mfm_lane lane)
{
    return mfm_in(node, MFM_BN_SCALE, lane) || mfm_in(node, MFM_BN_BIAS, lane);
}

static terms vjp_terms(const pass *p, int64_t c)
{
    const means m = means_of(p, c);
    const double gs = parameter(p, MFM_BN_SCALE, MFM_X, c) * m.s;
    return (terms){.constant = -gs * m.a, .factor[MFM_X] = -gs * m.b, .factor[MFM_G] = gs};
}

static terms vjp_terms_fixed(const pass *p, int64_t c)
{
    return (terms){.factor[MFM_G] = parameter(p, MFM_BN_SCALE, MFM_X, c) * (double)p->invstd[c]};
}

static void vjp(const mfm_node *node)
{
    pass p;
    begin(node, &p);
    set_stream(&p, MFM_G, mfm_out(node, 0, MFM_G));
    if (node->training || wants_parameters(node, MFM_G))
        sum_streams(&p);
    if (!node->training)
        p.stream[MFM_X] = NULL;
    write_adjoints(&p, node->training ? vjp_terms : vjp_terms_fixed, MFM_G);
    parameter_adjoints(&p, MFM_G);
}

static terms vjp_t_terms(const pass *p, int64_t c)
{
    const means m = means_of(p, c);
    const double gamma = parameter(p, MFM_BN_SCALE, MFM_X, c), gs = gamma * m.s;
    const double dgs = parameter(p, MFM_BN_SCALE, MFM_DX, c) * m.s - gs * m.s * m.r;
    const double gssb = gs * m.s * m.b;
    return (terms){.constant = -dgs * m.a - gs * m.da + gssb * m.dmu,
                   .factor[MFM_X] = -dgs * m.b - gs * m.db + gssb * m.r,
                   .factor[MFM_DX] = -gssb,
                   .factor[MFM_G] = dgs,
                   .factor[MFM_DG] = gs};
}

static terms vjp_t_terms_fixed(const pass *p, int64_t c)
{
    const double s = (double)p->invstd[c];
    return (terms){.factor[MFM_G] = parameter(p, MFM_BN_SCALE, MFM_DX, c) * s,
                   .factor[MFM_DG] = parameter(p, MFM_BN_SCALE, MFM_X, c) * s};
}

static void vjp_t(const mfm_node *node)
{
    pass p;
    begin(node, &p);
    set_stream(&p, MFM_DX, mfm_in(node, MFM_BN_INPUT, MFM_DX));
    set_stream(&p, MFM_G, mfm_out(node, 0, MFM_G));
    set_stream(&p, MFM_DG, mfm_out(node, 0, MFM_DG));
    if (node->training || wants_parameters(node, MFM_DG))
        sum_streams(&p);
    if (!node->training)
        p.stream[MFM_X] = p.stream[MFM_DX] = NULL;
    write_adjoints(&p, node->training ? vjp_t_terms : vjp_t_terms_fixed, MFM_DG);
    parameter_adjoints(&p, MFM_DG);
}

const mfm_rule mfm_rule_batch_norm = {forward, jvp, vjp, vjp_t};
