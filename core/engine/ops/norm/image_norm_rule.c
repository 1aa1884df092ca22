/*
 * The four passes of InstanceNormalization and GroupNormalization over x [n, c, ...]: the N numbers
 * of each image's group of neighbouring channels are brought to mean 0 and variance 1, then scaled
 * and shifted by channel,
 *     y = gamma xhat + beta,   xhat = s (x - mu),   s = 1 / sqrt(v + epsilon).
 *
 * Write <u> for the mean of u over the group, h = gamma g, and for the direction of differentiation
 *     dmu = <x'>,   r = <xhat x'>.   Then   s' = -s^2 r,   xhat' = s (x' - dmu - r xhat)
 * as in batch_norm_rule.c; gamma now differs within the mean.
 *
 * jvp    y' = gamma xhat' + gamma' xhat + beta'.
 *
 * vjp    with a = <h>, b = <h xhat>
 *     gx = s (h - a - b xhat),   ggamma = sum g xhat,   gbeta = sum g   (over the channel).
 *
 * vjp_t  with h' = gamma g' + gamma' g
 *     a' = <h'>,   b' = <h' xhat> + <h xhat'> = <h' xhat> + s (<h x'> - a dmu - b r),
 *     gx' = -s^2 r (h - a - b xhat) + s (h' - a' - b' xhat - b xhat')
 *     ggamma' = sum g' xhat + g xhat',   gbeta' = sum g'.
 *
 * The means of a group are made of sums by channel, of which gamma can be taken out. So each pass
 * is one sweep of sums a channel and one that combines x, x', g and g' with coefficients a channel.
 * saved: mu and s, each [n, groups].
 */
#include "core/engine/ops/norm/image_norm.h"

#include <math.h>

#include "core/engine/kernels/channels.h"

/* Sum and centred sum of up to three streams, and one product. */
enum { MAX_SUMS = 7 };

/* Images as blocks [rows, columns] in memory: whole images where the channels lie innermost, else
 * the channels one by one. */
typedef struct images {
    int64_t n, channels, groups, area;
    int64_t blocks;
    mfm_channels block;
    int64_t per_scale; /* channels that share a number of scale and bias */
} images;

static images images_of(const mfm_node *node)
{
    const mfm_image_norm_attr *attr = node->attr;
    const mfm_shape *x = &node->in[MFM_IMAGE_NORM_INPUT]->shape;
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(x, stride);
    images v = {.n = x->dim[0], .channels = x->dim[1], .groups = x->dim[1]};
    if (attr->num_groups)
        v.groups = attr->num_groups;
    v.area = mfm_shape_count(x) / (v.n * v.channels);
    const bool inner = stride[1] == 1;
    v.blocks = inner ? v.n : v.n * v.channels;
    v.block = (mfm_channels){.rows = v.area, .channels = inner ? v.channels : 1};
    v.per_scale = v.channels / node->in[MFM_IMAGE_NORM_SCALE]->shape.dim[0];
    return v;
}

/* Where channel c of image n lies in an array [blocks, rows, columns of a block], in row k. */
static int64_t place(const images *v, int64_t rows, int64_t k, int64_t n, int64_t c)
{
    const int64_t columns = v->block.channels;
    const int64_t block = columns == 1 ? n * v->channels + c : n;
    return (block * rows + k) * columns + (columns == 1 ? 0 : c);
}

int mfm_image_norm_setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    const images v = images_of(node);
    const size_t all = (size_t)(v.n * v.channels);
    node->saved_size = 2 * (size_t)(v.n * v.groups);
    const size_t doubles = MAX_SUMS * all + 2 * (size_t)v.channels;
    node->scratch_size = doubles * (sizeof(double) / sizeof(real)) +
                         mfm_channels_scratch(v.block, MAX_SUMS) + (2 + MFM_MAX_STREAMS) * all +
                         2 * MFM_CHUNKS * (size_t)v.channels;
    return MFM_OK;
}

/* ---- a pass in progress --------------------------------------------------------------------- */

/* The node's memory, and the streams of a pass: x, x', g, g', NULL where zero or unused. */
typedef struct pass {
    const mfm_node *node;
    images v;
    double epsilon;
    real *mean, *invstd; /* saved */
    double *total;       /* [blocks, sums, columns] */
    double *shares;      /* [2, channels]: a chunk's of the adjoints of scale and bias */
    real *chunks;        /* [MFM_CHUNKS, 2, channels]: the same of all */
    void *partials;
    real *center;            /* [blocks, columns] */
    real *constant, *factor; /* [blocks, columns], [blocks, MFM_MAX_STREAMS, columns] */
    const real *stream[MFM_LANES];
    /* Which sums those of a stream are, of u and of u (x - mu), and that of g x'; -1: zero. */
    int sums, sum[MFM_LANES], product;
} pass;

static pass begin(const mfm_node *node)
{
    pass p = {.node = node, .v = images_of(node), .product = -1};
    const int64_t all = p.v.n * p.v.channels;
    p.epsilon = ((const mfm_image_norm_attr *)node->attr)->epsilon;
    p.mean = node->saved;
    p.invstd = node->saved + p.v.n * p.v.groups;
    p.total = (double *)(void *)node->scratch;
    p.shares = p.total + MAX_SUMS * all;
    real *partials = (real *)(p.shares + 2 * p.v.channels);
    p.partials = partials;
    p.center = partials + mfm_channels_scratch(p.v.block, MAX_SUMS);
    p.constant = p.center + all;
    p.factor = p.constant + all;
    p.chunks = p.factor + MFM_MAX_STREAMS * all;
    p.stream[MFM_X] = mfm_in(node, MFM_IMAGE_NORM_INPUT, MFM_X);
    for (int lane = 0; lane < MFM_LANES; lane++)
        p.sum[lane] = -1;
    return p;
}

static double parameter(const pass *p, int input, enum mfm_lane lane, int64_t c)
{
    const real *values = mfm_in(p->node, input, lane);
    return values ? (double)values[c / p->v.per_scale] : 0;
}

/* Sum k of a channel. */
static double total(const pass *p, int k, int64_t n, int64_t c)
{
    return k < 0 ? 0 : p->total[place(&p->v, p->sums, k, n, c)];
}

static double sum_of(const pass *p, enum mfm_lane lane, int64_t n, int64_t c)
{
    return total(p, p->sum[lane], n, c);
}

/* sum u (x - mu) */
static double centred(const pass *p, enum mfm_lane lane, int64_t n, int64_t c)
{
    return p->sum[lane] < 0 ? 0 : total(p, p->sum[lane] + 1, n, c);
}

static int64_t group_of(const images *v, int64_t c)
{
    return c / (v->channels / v->groups);
}

/* The sums of the streams x', g, g' that are there, and of g x'. */
static void sum_streams(pass *p)
{
    static const enum mfm_lane lanes[] = {MFM_G, MFM_DG, MFM_DX};
    const images *v = &p->v;
    const int64_t columns = v->block.channels, length = v->area * columns;
    mfm_channel_sums wanted = {.n = 0};
    for (int i = 0; i < 3; i++)
        if (p->stream[lanes[i]]) {
            p->sum[lanes[i]] = 2 * wanted.n;
            wanted.streams[wanted.n++] = p->stream[lanes[i]];
        }
    if (p->stream[MFM_G] && p->stream[MFM_DX]) { /* then g is the first stream */
        wanted.pair = p->stream[MFM_DX];
        p->product = 2 * wanted.n;
    }
    p->sums = 2 * wanted.n + (wanted.pair != NULL);
    for (int64_t n = 0; n < v->n; n++)
        for (int64_t c = 0; c < v->channels; c++)
            p->center[place(v, 1, 0, n, c)] = p->mean[n * v->groups + group_of(v, c)];
    for (int64_t b = 0; b < v->blocks; b++) {
        mfm_channel_sums block = wanted;
        block.x = p->stream[MFM_X] + b * length;
        block.center = p->center + b * columns;
        for (int j = 0; j < wanted.n; j++)
            block.streams[j] += b * length;
        block.pair = wanted.pair ? wanted.pair + b * length : NULL;
        mfm_channels_sums(v->block, &block, p->total + b * p->sums * columns, p->partials);
    }
}

/* The means of one group of one image, in the letters above. */
typedef struct means {
    double mu, s, dmu, r, a, b, da, db;
} means;

static means means_of(const pass *p, int64_t n, int64_t group)
{
    const images *v = &p->v;
    const int64_t size = v->channels / v->groups;
    const double count = (double)(size * v->area);
    double product = 0; /* <h x'> */
    means m = {.mu = (double)p->mean[n * v->groups + group],
               .s = (double)p->invstd[n * v->groups + group]};
    for (int64_t c = group * size; c < (group + 1) * size; c++) {
        const double gamma = parameter(p, MFM_IMAGE_NORM_SCALE, MFM_X, c);
        const double dgamma = parameter(p, MFM_IMAGE_NORM_SCALE, MFM_DX, c);
        m.dmu += sum_of(p, MFM_DX, n, c);
        m.r += centred(p, MFM_DX, n, c);
        m.a += gamma * sum_of(p, MFM_G, n, c);
        m.b += gamma * centred(p, MFM_G, n, c);
        m.da += gamma * sum_of(p, MFM_DG, n, c) + dgamma * sum_of(p, MFM_G, n, c);
        m.db += gamma * centred(p, MFM_DG, n, c) + dgamma * centred(p, MFM_G, n, c);
        product += gamma * total(p, p->product, n, c);
    }
    m.dmu /= count;
    m.r *= m.s / count;
    m.a /= count;
    m.b *= m.s / count;
    m.da /= count;
    m.db = m.s * ((m.db + product) / count - m.a * m.dmu - m.b * m.r);
    return m;
}

/* One channel's result: constant + sum over lanes of factor[lane] stream[lane], where X stands for
 * xhat. */
typedef struct terms {
    double constant, factor[MFM_LANES];
} terms;

typedef terms terms_fn(const pass *p, const means *m, int64_t c);

/* The coefficients of channel c of image n; xhat is s x - s mu. */
static void set_coefficients(const pass *p, int streams, const means *m, terms t, int64_t n,
                             int64_t c)
{
    t.factor[MFM_X] *= m->s;
    p->constant[place(&p->v, 1, 0, n, c)] = (real)(t.constant - t.factor[MFM_X] * m->mu);
    int k = 0;
    for (int lane = 0; lane < MFM_LANES; lane++)
        if (p->stream[lane])
            p->factor[place(&p->v, streams, k++, n, c)] = (real)t.factor[lane];
}

/* y = [y +] the terms, over all of the tensor. */
static void combine(const pass *p, terms_fn *terms_of, real *y, bool add)
{
    const images *v = &p->v;
    const int64_t columns = v->block.channels, length = v->area * columns;
    mfm_channel_combination f = {.add = add};
    for (int lane = 0; lane < MFM_LANES; lane++)
        if (p->stream[lane])
            f.streams[f.n++] = p->stream[lane];
    f.first_gated = f.n;
    for (int64_t n = 0; n < v->n; n++)
        for (int64_t group = 0; group < v->groups; group++) {
            const means m = means_of(p, n, group);
            const int64_t size = v->channels / v->groups;
            for (int64_t c = group * size; c < (group + 1) * size; c++)
                set_coefficients(p, f.n, &m, terms_of(p, &m, c), n, c);
        }
    for (int64_t b = 0; b < v->blocks; b++) {
        mfm_channel_combination block = f;
        block.constant = p->constant + b * columns;
        block.factor = p->factor + b * f.n * columns;
        for (int j = 0; j < f.n; j++)
            block.streams[j] += b * length;
        block.y = y + b * length;
        mfm_channels_combine(v->block, &block);
    }
}

/* ---- the passes ----------------------------------------------------------------------------- */

/* Those of a group are put together from its channels':
 *     mu = <mu_c>,   v = <v_c + (mu_c - mu)^2>. */
static void find_statistics(pass *p)
{
    const images *v = &p->v;
    const int64_t columns = v->block.channels, size = v->channels / v->groups;
    p->sums = 2;
    for (int64_t b = 0; b < v->blocks; b++)
        mfm_channels_moments(v->block, p->stream[MFM_X] + b * v->area * columns,
                             p->total + b * p->sums * columns, p->partials);
    for (int64_t n = 0; n < v->n; n++)
        for (int64_t group = 0; group < v->groups; group++) {
            double mean = 0, variance = 0;
            for (int64_t c = group * size; c < (group + 1) * size; c++)
                mean += total(p, 0, n, c) / (double)size;
            for (int64_t c = group * size; c < (group + 1) * size; c++) {
                const double away = total(p, 0, n, c) - mean;
                variance += (total(p, 1, n, c) + away * away) / (double)size;
            }
            p->mean[n * v->groups + group] = (real)mean;
            p->invstd[n * v->groups + group] = (real)(1 / sqrt(variance + p->epsilon));
        }
}

static terms forward_terms(const pass *p, const means *m, int64_t c)
{
    (void)m;
    return (terms){.constant = parameter(p, MFM_IMAGE_NORM_BIAS, MFM_X, c),
                   .factor[MFM_X] = parameter(p, MFM_IMAGE_NORM_SCALE, MFM_X, c)};
}

static void forward(const mfm_node *node)
{
    pass p = begin(node);
    find_statistics(&p);
    combine(&p, forward_terms, mfm_out(node, 0, MFM_X), false);
}

static terms jvp_terms(const pass *p, const means *m, int64_t c)
{
    const double gs = parameter(p, MFM_IMAGE_NORM_SCALE, MFM_X, c) * m->s;
    return (terms){.constant = parameter(p, MFM_IMAGE_NORM_BIAS, MFM_DX, c) - gs * m->dmu,
                   .factor[MFM_X] = parameter(p, MFM_IMAGE_NORM_SCALE, MFM_DX, c) - gs * m->r,
                   .factor[MFM_DX] = gs};
}

static void jvp(const mfm_node *node)
{
    pass p = begin(node);
    p.stream[MFM_DX] = mfm_in(node, MFM_IMAGE_NORM_INPUT, MFM_DX);
    sum_streams(&p);
    combine(&p, jvp_terms, mfm_out(node, 0, MFM_DX), false);
}

/* The share of image n and channel c in the adjoint of scale (G) or its tangent (DG). */
static double scale_share(const pass *p, const means *m, enum mfm_lane lane, int64_t n, int64_t c)
{
    const double along = m->s * centred(p, MFM_G, n, c); /* sum g xhat */
    if (lane == MFM_G)
        return along;
    return m->s * (centred(p, MFM_DG, n, c) + total(p, p->product, n, c) -
                   m->dmu * sum_of(p, MFM_G, n, c) - m->r * along);
}

/* to [channels / per] = the shares of the channels that have one parameter */
static void gather_shares(const pass *p, const double *shares, real *to)
{
    const int64_t per = p->v.per_scale;
    for (int64_t i = 0; i < p->v.channels / per; i++) {
        double sum = 0;
        for (int64_t c = i * per; c < (i + 1) * per; c++)
            sum += shares[c];
        to[i] = (real)sum;
    }
}

/* What images [first, end) give to scale and bias. */
static void sum_images(const pass *p, enum mfm_lane lane, int64_t first, int64_t end, real *to)
{
    const images *v = &p->v;
    const int64_t size = v->channels / v->groups;
    double *scale = p->shares, *bias = p->shares + v->channels;
    for (int64_t c = 0; c < 2 * v->channels; c++)
        p->shares[c] = 0;
    for (int64_t n = first; n < end; n++)
        for (int64_t group = 0; group < v->groups; group++) {
            const means m = means_of(p, n, group);
            for (int64_t c = group * size; c < (group + 1) * size; c++) {
                scale[c] += scale_share(p, &m, lane, n, c);
                bias[c] += sum_of(p, lane, n, c);
            }
        }
    gather_shares(p, scale, to);
    gather_shares(p, bias, to + v->channels);
}

static void write_parameter(const pass *p, int input, enum mfm_lane lane, const real *sums)
{
    real *to = mfm_in(p->node, input, lane);
    const bool add = mfm_accumulates(p->node, input, lane);
    for (int64_t i = 0; to && i < p->v.channels / p->v.per_scale; i++)
        to[i] = (add ? to[i] : 0) + sums[i];
}

/* Writes or adds the adjoints (G) or their tangents (DG) of scale and bias: the sums over the
 * images of each chunk, added along the tree. */
static void parameter_adjoints(const pass *p, enum mfm_lane lane)
{
    const images *v = &p->v;
    const mfm_share share = mfm_share_for(&p->node->share, v->n);
    const int64_t length = 2 * v->channels;
    if (!mfm_in(p->node, MFM_IMAGE_NORM_SCALE, lane) && !mfm_in(p->node, MFM_IMAGE_NORM_BIAS, lane))
        return;
    for (int chunk = 0; chunk < share.end - share.first; chunk++)
        sum_images(p, lane, mfm_share_row(&share, v->n, chunk),
                   mfm_share_row(&share, v->n, chunk + 1), p->chunks + chunk * length);
    mfm_share_add_reals(&share, p->chunks, (size_t)length);
    write_parameter(p, MFM_IMAGE_NORM_SCALE, lane, p->chunks);
    write_parameter(p, MFM_IMAGE_NORM_BIAS, lane, p->chunks + v->channels);
}

static void adjoints(pass *p, terms_fn *terms_of, enum mfm_lane lane)
{
    real *x = mfm_in(p->node, MFM_IMAGE_NORM_INPUT, lane);
    sum_streams(p);
    if (x)
        combine(p, terms_of, x, mfm_accumulates(p->node, MFM_IMAGE_NORM_INPUT, lane));
    parameter_adjoints(p, lane);
}

static terms vjp_terms(const pass *p, const means *m, int64_t c)
{
    return (terms){.constant = -m->s * m->a,
                   .factor[MFM_X] = -m->s * m->b,
                   .factor[MFM_G] = m->s * parameter(p, MFM_IMAGE_NORM_SCALE, MFM_X, c)};
}

static void vjp(const mfm_node *node)
{
    pass p = begin(node);
    p.stream[MFM_G] = mfm_out(node, 0, MFM_G);
    adjoints(&p, vjp_terms, MFM_G);
}

/* gx' in the order of its streams, xhat' written out. */
static terms vjp_t_terms(const pass *p, const means *m, int64_t c)
{
    const double gamma = parameter(p, MFM_IMAGE_NORM_SCALE, MFM_X, c);
    const double dgamma = parameter(p, MFM_IMAGE_NORM_SCALE, MFM_DX, c);
    const double s = m->s, ds = -s * s * m->r, ssb = s * s * m->b;
    return (terms){.constant = -ds * m->a - s * m->da + ssb * m->dmu,
                   .factor[MFM_X] = -ds * m->b - s * m->db + ssb * m->r,
                   .factor[MFM_DX] = -ssb,
                   .factor[MFM_G] = ds * gamma + s * dgamma,
                   .factor[MFM_DG] = s * gamma};
}

static void vjp_t(const mfm_node *node)
{
    pass p = begin(node);
    p.stream[MFM_DX] = mfm_in(node, MFM_IMAGE_NORM_INPUT, MFM_DX);
    p.stream[MFM_G] = mfm_out(node, 0, MFM_G);
    p.stream[MFM_DG] = mfm_out(node, 0, MFM_DG);
    adjoints(&p, vjp_t_terms, MFM_DG);
}

const mfm_rule mfm_rule_image_norm = {forward, jvp, vjp, vjp_t};
