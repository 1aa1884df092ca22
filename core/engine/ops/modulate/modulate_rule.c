/*
 * The four passes of the modulation of features x [n, c, h, w] by numbers of each sample's own,
 * with d = gamma - 1,
 *     y = x + (d x + b),   d and b [n, c]
 *
 * jvp    y' = (1 + d) x' + d' x + b'
 * vjp    gx = (1 + d) g,   gd = sum g x,   gb = sum g   over the pixels of a sample
 * vjp_t  gx' = (1 + d) g' + d' g,   gd' = sum (g' x + g x'),   gb' = sum g'
 *
 * With a Relu behind, and a summand z between, the output is max(y + z, 0). The slope of the Relu
 * is 0 or 1 and locally constant: g and g' count where the output is positive, the tangent is
 * closed elsewhere, and what is left of g and g' is the adjoint of z and its tangent.
 *
 * A sample is a combination of streams with a coefficient a channel, as in channels.h.
 */
#include "core/engine/ops/modulate/modulate.h"

#include <string.h>

#include "core/engine/kernels/channels.h"

/* Sums of a sample, in this order, as far as the streams are there: for g and g' the plain sum and
 * that of products with x, then the products of g and x'. */
enum { MAX_SUMS = 5, MAX_STREAMS = 2 };

/* Rows: pixels of one sample. */
static mfm_channels sample_size(const mfm_node *node)
{
    const mfm_shape *x = &node->in[MFM_MOD_INPUT]->shape;
    return (mfm_channels){.rows = mfm_shape_count(x) / (x->dim[0] * x->dim[1]),
                          .channels = x->dim[1]};
}

static int64_t count_samples(const mfm_node *node)
{
    return node->in[MFM_MOD_INPUT]->shape.dim[0];
}

/* Of one sample: sums in double, then what channels.h wants, zeros, and coefficients. */
static size_t sample_scratch(mfm_channels size)
{
    const size_t channels = (size_t)size.channels;
    return MAX_SUMS * channels * (sizeof(double) / sizeof(real)) +
           mfm_channels_scratch(size, MAX_SUMS) + (1 + MAX_STREAMS) * channels;
}

static int check_coefficients(mfm_ctx *ctx, const mfm_node *node, int input)
{
    const mfm_shape *x = &node->in[MFM_MOD_INPUT]->shape, *given = &node->in[input]->shape;
    const mfm_shape wanted = {.rank = 4, .dim = {x->dim[0], x->dim[1], 1, 1}};
    char text[MFM_SHAPE_TEXT];
    if (!mfm_shape_equal(given, &wanted))
        return mfm_infer_fail(ctx, node, "%s %s: must be one number for each sample and channel",
                              node->op->inputs[input].name, mfm_shape_text(given, text));
    return MFM_OK;
}

int mfm_modulate_infer(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *x = &node->in[MFM_MOD_INPUT]->shape;
    char text[MFM_SHAPE_TEXT];
    if (x->rank != 4 || mfm_shape_count(x) < 1)
        return mfm_infer_fail(ctx, node, "input %s: must be [n, c, h, w] with elements",
                              mfm_shape_text(x, text));
    int status = check_coefficients(ctx, node, MFM_MOD_SCALE);
    if (!status)
        status = check_coefficients(ctx, node, MFM_MOD_SHIFT);
    if (!status && node->n_in > MFM_MOD_SUMMAND &&
        !mfm_shape_equal(&node->in[MFM_MOD_SUMMAND]->shape, x))
        status = mfm_infer_fail(ctx, node, "summand %s: must have the shape of the input",
                                mfm_shape_text(&node->in[MFM_MOD_SUMMAND]->shape, text));
    node->out[0]->shape = *x;
    return status;
}

int mfm_modulate_setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    const size_t align = 64 / sizeof(real);
    const size_t own = (sample_scratch(sample_size(node)) + align - 1) / align * align;
    node->scratch_size = (size_t)count_samples(node) * own;
    return MFM_OK;
}

/* [n, c, 1, 1] beside images [n, c, h, w]. Without pixels the sweeps that would be saved are short.
 */
static bool is_by_sample(const mfm_shape *coefficient, const mfm_shape *x)
{
    const mfm_shape wanted = {.rank = 4, .dim = {x->dim[0], x->dim[1], 1, 1}};
    return x->rank == 4 && mfm_shape_equal(coefficient, &wanted);
}

bool mfm_modulate_fused(const mfm_fusion *chain, void *attr)
{
    (void)attr;
    const mfm_shape *x = mfm_fusion_shape(chain, "X");
    const mfm_shape *summand = mfm_fusion_shape(chain, "summand");
    return is_by_sample(mfm_fusion_shape(chain, "scale"), x) &&
           is_by_sample(mfm_fusion_shape(chain, "shift"), x) &&
           (!summand || mfm_shape_equal(summand, x));
}

/* ---- a sample of a pass ---------------------------------------------------------------------- */

typedef struct sample {
    const mfm_node *node;
    const mfm_modulate_tail *tail;
    mfm_channels size;
    int64_t first, row; /* its element in the streams, and in the coefficients */
    double *total;
    void *partials;
    real *zeros, *factor; /* [c], [MAX_STREAMS, c] */
    mfm_channel_gate gate;
} sample;

static sample sample_of(const mfm_node *node, int64_t number)
{
    sample s = {.node = node, .tail = node->impl->parts, .size = sample_size(node)};
    const int64_t channels = s.size.channels;
    s.first = number * s.size.rows * channels;
    s.row = number * channels;
    s.total = (double *)(void *)(node->scratch + number * (int64_t)(node->scratch_size /
                                                                    (size_t)count_samples(node)));
    real *partials = (real *)(s.total + MAX_SUMS * channels);
    s.partials = partials;
    s.zeros = partials + mfm_channels_scratch(s.size, MAX_SUMS);
    s.factor = s.zeros + channels;
    memset(s.zeros, 0, (size_t)channels * sizeof *s.zeros);
    if (s.tail->relu)
        s.gate.y = mfm_out(node, 0, MFM_X) + s.first;
    return s;
}

static real *at(real *lane, int64_t offset)
{
    return lane ? lane + offset : NULL;
}

static const real *coefficients(const sample *s, int input, enum mfm_lane lane)
{
    return at(mfm_in(s->node, input, lane), s->row);
}

/* Factors of a stream: 1 + d, or d'. */
static void add_stream(const sample *s, mfm_channel_combination *f, const real *stream,
                       const real *coefficient, real one)
{
    real *factor = s->factor + f->n * s->size.channels;
    for (int64_t c = 0; c < s->size.channels; c++)
        factor[c] = one + coefficient[c];
    f->streams[f->n++] = stream + s->first;
}

/* ---- forward and tangent --------------------------------------------------------------------- */

static void write_output(const sample *s, enum mfm_lane lane)
{
    const mfm_node *node = s->node;
    const real *d = coefficients(s, MFM_MOD_SCALE, MFM_X), *x = mfm_in(node, MFM_MOD_INPUT, MFM_X);
    const real *shift = coefficients(s, MFM_MOD_SHIFT, lane);
    mfm_channel_combination f = {.constant = shift ? shift : s->zeros,
                                 .factor = s->factor,
                                 .gate = s->tail->relu ? &s->gate : NULL,
                                 .y = mfm_out(node, 0, lane) + s->first};
    const real *dd = coefficients(s, MFM_MOD_SCALE, MFM_DX),
               *dx = mfm_in(node, MFM_MOD_INPUT, MFM_DX);
    if (lane == MFM_X)
        add_stream(s, &f, x, d, 1);
    if (lane == MFM_DX && dd)
        add_stream(s, &f, x, dd, 0);
    if (lane == MFM_DX && dx)
        add_stream(s, &f, dx, d, 1);
    f.first_gated = f.n;
    if (s->tail->summand)
        f.summand = at(mfm_in(node, MFM_MOD_SUMMAND, lane), s->first);
    if (s->tail->relu)
        f.finish = lane == MFM_X ? MFM_FINISH_RELU : MFM_FINISH_GATE;
    mfm_channels_combine(s->size, &f);
}

static void each_output(const mfm_node *node, enum mfm_lane lane)
{
    const int64_t samples = count_samples(node);
#pragma omp parallel for schedule(static) if (samples > 1)
    for (int64_t i = 0; i < samples; i++) {
        const sample s = sample_of(node, i);
        write_output(&s, lane);
    }
}

static void forward(const mfm_node *node)
{
    each_output(node, MFM_X);
}

static void jvp(const mfm_node *node)
{
    each_output(node, MFM_DX);
}

/* ---- adjoints -------------------------------------------------------------------------------- */

static void write_row(const sample *s, int input, enum mfm_lane lane, const double *sum,
                      const double *more)
{
    real *to = at(mfm_in(s->node, input, lane), s->row);
    const bool add = mfm_accumulates(s->node, input, lane);
    for (int64_t c = 0; to && c < s->size.channels; c++) {
        const double total = (sum ? sum[c] : 0) + (more ? more[c] : 0);
        to[c] = (add ? to[c] : 0) + (real)total;
    }
}

/* Lane G or DG of scale and shift. */
static void write_coefficients(const sample *s, enum mfm_lane lane)
{
    const mfm_node *node = s->node;
    if (!mfm_in(node, MFM_MOD_SCALE, lane) && !mfm_in(node, MFM_MOD_SHIFT, lane))
        return;
    const real *g = mfm_out(node, 0, MFM_G), *dg = mfm_out(node, 0, MFM_DG);
    const real *dx = mfm_in(node, MFM_MOD_INPUT, MFM_DX);
    const bool pair = lane == MFM_DG && g && dx; /* g x' */
    const int64_t c = s->size.channels;
    mfm_channel_sums wanted = {.x = mfm_in(node, MFM_MOD_INPUT, MFM_X) + s->first,
                               .center = s->zeros,
                               .gate = s->tail->relu ? &s->gate : NULL};
    if (pair || (lane == MFM_G && g))
        wanted.streams[wanted.n++] = g + s->first;
    if (lane == MFM_DG && dg)
        wanted.streams[wanted.n++] = dg + s->first;
    wanted.pair = pair ? dx + s->first : NULL;
    wanted.n_gated = s->tail->relu ? wanted.n : 0;
    mfm_channels_sums(s->size, &wanted, s->total, s->partials);
    const bool own = lane == MFM_G ? g != NULL : dg != NULL; /* the last stream is of this lane */
    const double *last = own ? s->total + 2 * (wanted.n - 1) * c : NULL;
    write_row(s, MFM_MOD_SCALE, lane, own ? last + c : NULL,
              pair ? s->total + 2 * wanted.n * c : NULL);
    write_row(s, MFM_MOD_SHIFT, lane, last, NULL);
}

/* Lane G or DG of the input and of the summand. */
static void write_adjoints(const sample *s, enum mfm_lane lane)
{
    const mfm_node *node = s->node;
    const real *g = mfm_out(node, 0, MFM_G), *own = mfm_out(node, 0, lane);
    const real *dd = coefficients(s, MFM_MOD_SCALE, MFM_DX);
    real *to = at(mfm_in(node, MFM_MOD_INPUT, lane), s->first);
    real *summand = s->tail->summand ? at(mfm_in(node, MFM_MOD_SUMMAND, lane), s->first) : NULL;
    const bool add_summand = summand && mfm_accumulates(node, MFM_MOD_SUMMAND, lane);
    mfm_channel_combination f = {.constant = s->zeros,
                                 .factor = s->factor,
                                 .gate = s->tail->relu ? &s->gate : NULL,
                                 .y = to,
                                 .add = to && mfm_accumulates(node, MFM_MOD_INPUT, lane)};
    if (lane == MFM_DG && g && dd)
        add_stream(s, &f, g, dd, 0);
    if (own)
        add_stream(s, &f, own, coefficients(s, MFM_MOD_SCALE, MFM_X), 1);
    f.first_gated = s->tail->relu ? 0 : f.n;
    if (own) {
        f.passed = summand;
        f.add_passed = add_summand;
    } else if (summand && !add_summand) {
        memset(summand, 0, (size_t)(s->size.rows * s->size.channels) * sizeof *summand);
    }
    if (f.y || f.passed)
        mfm_channels_combine(s->size, &f);
}

/* The sums first: what is passed on to the summand may lie where g lies. */
static void each_adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const int64_t samples = count_samples(node);
#pragma omp parallel for schedule(static) if (samples > 1)
    for (int64_t i = 0; i < samples; i++) {
        const sample s = sample_of(node, i);
        write_coefficients(&s, lane);
        write_adjoints(&s, lane);
    }
}

static void vjp(const mfm_node *node)
{
    each_adjoint(node, MFM_G);
}

static void vjp_t(const mfm_node *node)
{
    each_adjoint(node, MFM_DG);
}

const mfm_rule mfm_rule_modulate = {forward, jvp, vjp, vjp_t};
