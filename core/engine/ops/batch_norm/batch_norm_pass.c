#include "core/engine/ops/batch_norm/batch_norm_pass.h"

#include <string.h>

#include "core/engine/kernels/strided.h"
#include "core/engine/rules.h"

/* Results of the sum sweeps: sum and centred sum of up to three streams, and one product. */
enum { MAX_SUMS = 7 };

/* Streams that they take. */
enum { SUMMED = 3 };

mfm_channels mfm_batch_norm_size(const mfm_node *node)
{
    const mfm_shape *x = &node->in[MFM_BN_INPUT]->shape;
    return (mfm_channels){.rows = mfm_shape_count(x) / x->dim[1],
                          .channels = node->in[MFM_BN_SCALE]->shape.dim[0]};
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
    const mfm_batch_norm_tail *tail = node->impl->parts;
    const size_t room = tail->joined     ? mfm_channels_room(size, SUMMED + 1)
                        : tail->function ? mfm_channels_room(size, SUMMED)
                                         : 0;
    const size_t function =
        tail->function ? mfm_channels_function_size(size.channels) + channels : 0;
    return room + function + (MFM_LANES + 1) * turned +
           MAX_SUMS * channels * (sizeof(double) / sizeof(real)) +
           mfm_channels_scratch(size, MAX_SUMS) + (3 + MFM_MAX_STREAMS) * channels;
}

/* The axes [n, c, the others] and their strides in the tensor, and turned. */
static mfm_shape turned_views(const mfm_bn_pass *p, int64_t tensor[MFM_MAX_RANK],
                              int64_t turned[MFM_MAX_RANK])
{
    const mfm_shape *x = &p->node->in[MFM_BN_INPUT]->shape;
    const int64_t n = x->dim[0], c = p->size.channels, area = p->size.rows / n;
    const int64_t plain[] = {c * area, area, 1}, inner[] = {c * area, 1, c};
    memcpy(tensor, plain, sizeof plain);
    memcpy(turned, inner, sizeof inner);
    return (mfm_shape){.rank = 3, .dim = {n, c, area}};
}

void mfm_bn_set_stream(mfm_bn_pass *p, enum mfm_lane lane, const real *values)
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
static void combine(const mfm_bn_pass *p, mfm_channel_combination f)
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

static void place_function(mfm_bn_pass *p, real *at)
{
    const mfm_batch_norm_function *function = p->node->kernel;
    const int64_t c = p->size.channels;
    p->hooked = (mfm_channels_function){.value = function->f->value,
                                        .slopes = function->f->slopes,
                                        .attr = function->attr,
                                        .by_output = function->by_output,
                                        .linear = function->linear};
    mfm_channels_function_place(&p->hooked, c, at);
    p->column = at + mfm_channels_function_size(c);
    p->room = p->column + c;
}

void mfm_bn_begin(const mfm_node *node, mfm_bn_pass *at)
{
    *at = (mfm_bn_pass){.node = node, .share = share_of(node), .size = mfm_batch_norm_size(node)};
    at->size.share = &at->share;
    at->rows = (double)mfm_channels_rows(at->size);
    mfm_bn_pass p = *at;
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
    p.room = p.scale + c;
    if (p.tail->function)
        place_function(&p, p.scale + c);
    for (int lane = 0; lane < MFM_LANES; lane++)
        p.joined[lane] = (mfm_bn_joined){node, (enum mfm_lane)lane};
    mfm_bn_set_stream(&p, MFM_X, mfm_bn_input(node, MFM_X));
    *at = p;
}

/* y = shift + scale x, as forward has it. */
static void find_line(const mfm_bn_pass *p)
{
    for (int64_t c = 0; c < p->size.channels; c++) {
        const double scale = mfm_bn_parameter(p, MFM_BN_SCALE, MFM_X, c) * (double)p->invstd[c];
        p->scale[c] = (real)scale;
        p->shift[c] =
            (real)(mfm_bn_parameter(p, MFM_BN_BIAS, MFM_X, c) - scale * (double)p->mean[c]);
    }
}

/* What stands for a lane of the output, or of an input that is joined. */
static mfm_channel_hook made_of(const mfm_bn_pass *p, enum mfm_lane lane)
{
    mfm_channel_hook hook = {.self = &p->hooked};
    if (p->tail->joined && (lane == MFM_X || lane == MFM_DX))
        hook = (mfm_channel_hook){mfm_bn_join, &p->joined[lane]};
    if (p->tail->function && lane == MFM_G)
        hook.run = mfm_channels_make_adjoint;
    if (p->tail->function && lane == MFM_DG)
        hook.run = mfm_channels_make_adjoint_tangent;
    return hook;
}

static mfm_channel_gate gate_of(const mfm_bn_pass *p)
{
    if (p->tail->summand)
        return (mfm_channel_gate){.y = mfm_out(p->node, 0, MFM_X)};
    if (p->tail->relu)
        find_line(p);
    return (mfm_channel_gate){.x = mfm_in(p->node, MFM_BN_INPUT, MFM_X),
                              .constant = p->shift,
                              .factor = p->scale,
                              .made = made_of(p, MFM_X)};
}
void mfm_bn_hook_streams(mfm_bn_pass *p)
{
    if (!p->tail->function)
        return;
    mfm_channels_function *h = &p->hooked;
    find_line(p);
    mfm_channels_function_set(h, MFM_CHANNELS_SHIFT, p->shift);
    mfm_channels_function_set(h, MFM_CHANNELS_SCALE, p->scale);
    h->x = p->stream[MFM_X];
    h->dx = p->stream[MFM_DX];
    h->g = p->stream[MFM_G];
    h->dg = p->stream[MFM_DG];
}

void mfm_bn_moments(const mfm_bn_pass *p)
{
    if (p->tail->joined)
        mfm_channels_made_moments(p->size, made_of(p, MFM_X), p->room, p->total, p->partials);
    else
        mfm_channels_moments(p->size, p->stream[MFM_X], p->total, p->partials);
}

void mfm_bn_sum_streams(mfm_bn_pass *p)
{
    const mfm_channel_gate gate = gate_of(p);
    mfm_channel_hook made[MFM_MAX_STREAMS];
    mfm_channel_sums wanted = {.x = p->stream[MFM_X],
                               .center = p->mean,
                               .made_x = made_of(p, MFM_X),
                               .made = made,
                               .room = p->room,
                               .gate = &gate};
    static const enum mfm_lane lanes[] = {MFM_G, MFM_DG, MFM_DX};
    const int64_t c = p->size.channels;
    for (int i = 0; i < 3; i++) {
        const real *stream = p->stream[lanes[i]];
        if (!stream)
            continue;
        p->sum[lanes[i]] = p->total + 2 * wanted.n * c;
        p->centred[lanes[i]] = p->total + (2 * wanted.n + 1) * c;
        made[wanted.n] = made_of(p, lanes[i]);
        wanted.kept[wanted.n] = p->kept[lanes[i]];
        wanted.streams[wanted.n++] = stream;
        wanted.n_gated += p->tail->relu && lanes[i] != MFM_DX;
    }
    if (p->stream[MFM_G] && p->stream[MFM_DX]) { /* then g is the first stream */
        wanted.pair = p->stream[MFM_DX];
        p->product = p->total + 2 * wanted.n * c;
    }
    mfm_channels_sums(p->size, &wanted, p->total, p->partials);
}

void mfm_bn_sum_streams_for(mfm_bn_pass *p, enum mfm_lane lane)
{
    if (p->tail->function && p->stream[lane] && !mfm_accumulates(p->node, MFM_BN_INPUT, lane))
        p->kept[lane] = mfm_in(p->node, MFM_BN_INPUT, lane);
    mfm_bn_sum_streams(p);
}

/* The streams that are there, with the factors that terms_of gives; xhat is s x - s mu. `made` has
 * room for all. */
static mfm_channel_combination combination_of(const mfm_bn_pass *p, mfm_bn_terms_fn *terms_of,
                                              mfm_channel_hook *made)
{
    const int64_t channels = p->size.channels;
    mfm_channel_combination f = {
        .constant = p->constant, .factor = p->factor, .made = made, .long_blocks = p->tail->joined};
    for (int lane = 0; lane < MFM_LANES; lane++) {
        if (lane == MFM_G)
            f.first_gated = f.n;
        if (!p->stream[lane])
            continue;
        made[f.n] = p->kept[lane] ? (mfm_channel_hook){NULL} : made_of(p, (enum mfm_lane)lane);
        f.streams[f.n++] = p->kept[lane] ? p->kept[lane] : p->stream[lane];
    }
    if (!p->tail->relu)
        f.first_gated = f.n;
    for (int64_t c = 0; c < channels; c++) {
        mfm_bn_terms t = terms_of(p, c);
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

void mfm_bn_write_output(const mfm_bn_pass *p, mfm_bn_terms_fn *terms_of, enum mfm_lane lane)
{
    const mfm_channel_gate gate = gate_of(p);
    mfm_channel_hook made[MFM_MAX_STREAMS];
    mfm_channel_combination f = combination_of(p, terms_of, made);
    f.gate = &gate;
    f.summand = p->tail->summand ? mfm_in(p->node, MFM_BN_SUMMAND, lane) : NULL;
    if (p->tail->relu)
        f.finish = lane == MFM_X ? MFM_FINISH_RELU : MFM_FINISH_GATE;
    if (p->tail->function)
        f.finished = (mfm_channel_hook){
            lane == MFM_X ? mfm_channels_finish_value : mfm_channels_finish_tangent, &p->hooked};
    f.y = mfm_out(p->node, 0, lane);
    combine(p, f);
}

void mfm_bn_write_adjoints(const mfm_bn_pass *p, mfm_bn_terms_fn *terms_of, enum mfm_lane lane)
{
    const mfm_node *node = p->node;
    real *summand = p->tail->summand ? mfm_in(node, MFM_BN_SUMMAND, lane) : NULL;
    const bool add_summand = summand && mfm_accumulates(node, MFM_BN_SUMMAND, lane);
    const mfm_channel_gate gate = gate_of(p);
    mfm_channel_hook made[MFM_MAX_STREAMS];
    mfm_channel_combination f = combination_of(p, terms_of, made);
    f.gate = &gate;
    if (p->tail->joined) {
        f.finished = (mfm_channel_hook){mfm_bn_part, &p->joined[lane]};
        if (mfm_bn_input(node, lane))
            combine(p, f);
        return;
    }
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
