/*
 * Convolution by oneDNN, float only. Images and results are plain channels-last memory; the
 * weights' layout is oneDNN's choice, and when that is not the plain [o, kh, kw, c / groups] they
 * are reordered through scratch on every call. The number of threads at make is the one of
 * the calls.
 *
 * Scratch of a direction: oneDNN's scratchpad, then the packed weights, then a result that is to be
 * added to what is there; of the gradient of the weights, which is summed as oneDNN lays it out, a
 * summand or its plain form in the place of these.
 */
#include <dnnl.h>
#include <dnnl_debug.h>
#include <math.h>
#include <string.h>

#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"

enum { ALIGN = 64, PARALLEL_FROM = 16384 };

/* Adding forward is its own primitive, with oneDNN's sum; oneDNN has none for the other two. */
enum { FORWARD, FORWARD_ADD, DATA, WEIGHTS, DIRECTIONS };

typedef struct direction {
    dnnl_primitive_t run;
    dnnl_primitive_t reorder; /* plain to packed weights, WEIGHTS: back; NULL when plain is used */
    dnnl_memory_t packed, scratchpad;
    size_t packed_at, sum_at, size; /* bytes */
} direction;

typedef struct onednn {
    mfm_conv_shape shape;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_desc_t image_desc, result_desc, weights_desc, bias_desc;
    dnnl_memory_t image, result, weights, bias; /* handles are set by each call */
    direction directions[DIRECTIONS];
} onednn;

static int check(mfm_ctx *ctx, dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return MFM_OK;
    return mfm_fail(ctx, status == dnnl_out_of_memory ? MFM_ENOMEM : MFM_ENOTSUP,
                    "convolution: oneDNN %s: %s", what, dnnl_status2str(status));
}

/* ---- set-up -------------------------------------------------------------------------------- */

/* oneDNN counts dilation from 0, and knows groups by a fifth axis of the weights. */
static int make_descs(mfm_ctx *ctx, onednn *conv)
{
    const mfm_conv_shape *s = &conv->shape;
    const int64_t depth = s->c / s->groups, results = s->o / s->groups;
    const dnnl_dims_t image = {s->n, s->c, s->h, s->w}, result = {s->n, s->o, s->oh, s->ow};
    const int64_t filter = s->kh * s->kw * depth;
    const dnnl_dims_t weights = {s->o, depth, s->kh, s->kw}, by_result = {s->o};
    const dnnl_dims_t strides = {filter, 1, s->kw * depth, depth};
    const dnnl_dims_t grouped = {s->groups, results, depth, s->kh, s->kw};
    const dnnl_dims_t grouped_strides = {results * filter, filter, 1, s->kw * depth, depth};
    const bool plain = s->groups == 1;
    int status =
        check(ctx, dnnl_memory_desc_init_by_tag(&conv->bias_desc, 1, by_result, dnnl_f32, dnnl_a),
              "bias descriptor");
    if (!status)
        status = check(
            ctx, dnnl_memory_desc_init_by_tag(&conv->image_desc, 4, image, dnnl_f32, dnnl_nhwc),
            "image descriptor");
    if (!status)
        status = check(
            ctx, dnnl_memory_desc_init_by_tag(&conv->result_desc, 4, result, dnnl_f32, dnnl_nhwc),
            "result descriptor");
    if (!status)
        status = check(ctx,
                       dnnl_memory_desc_init_by_strides(&conv->weights_desc, plain ? 4 : 5,
                                                        plain ? weights : grouped, dnnl_f32,
                                                        plain ? strides : grouped_strides),
                       "weights descriptor");
    return status;
}

static int make_memories(mfm_ctx *ctx, onednn *conv)
{
    int status = check(
        ctx, dnnl_memory_create(&conv->image, &conv->image_desc, conv->engine, DNNL_MEMORY_NONE),
        "image memory");
    if (!status)
        status = check(
            ctx,
            dnnl_memory_create(&conv->result, &conv->result_desc, conv->engine, DNNL_MEMORY_NONE),
            "result memory");
    if (!status)
        status = check(
            ctx,
            dnnl_memory_create(&conv->weights, &conv->weights_desc, conv->engine, DNNL_MEMORY_NONE),
            "weights memory");
    if (!status)
        status = check(
            ctx, dnnl_memory_create(&conv->bias, &conv->bias_desc, conv->engine, DNNL_MEMORY_NONE),
            "bias memory");
    return status;
}

/* The operation with free weight layout; forward: of FORWARD, for FORWARD_ADD. */
static dnnl_status_t describe(const onednn *conv, int which, const_dnnl_primitive_desc_t forward,
                              dnnl_convolution_desc_t *desc)
{
    const mfm_conv_shape *s = &conv->shape;
    const dnnl_dims_t stride = {s->stride[0], s->stride[1]};
    const dnnl_dims_t dilation = {s->dilation[0] - 1, s->dilation[1] - 1};
    const dnnl_dims_t begin = {s->pad_begin[0], s->pad_begin[1]};
    const dnnl_dims_t end = {s->pad_end[0], s->pad_end[1]};
    dnnl_memory_desc_t weights = conv->weights_desc;
    const dnnl_status_t status = dnnl_memory_desc_init_by_tag(
        &weights, weights.ndims, conv->weights_desc.dims, dnnl_f32, dnnl_format_tag_any);
    if (status != dnnl_success)
        return status;
    if (which == FORWARD_ADD) /* weights packed for one serve the other */
        weights = *dnnl_primitive_desc_query_md(forward, dnnl_query_weights_md, 0);
    switch (which) {
    case DATA:
        return dnnl_dilated_convolution_backward_data_desc_init(
            desc, dnnl_convolution_direct, &conv->image_desc, &weights, &conv->result_desc, stride,
            dilation, begin, end);
    case WEIGHTS:
        return dnnl_dilated_convolution_backward_weights_desc_init(
            desc, dnnl_convolution_direct, &conv->image_desc, &weights, NULL, &conv->result_desc,
            stride, dilation, begin, end);
    default:
        return dnnl_dilated_convolution_forward_desc_init(
            desc, dnnl_forward_training, dnnl_convolution_direct, &conv->image_desc, &weights,
            s->finish ? &conv->bias_desc : NULL, &conv->result_desc, stride, dilation, begin, end);
    }
}

/* What comes after the sums of a finish; its bias is an input of its own. */
static dnnl_status_t append_finish(enum mfm_conv_finish finish, dnnl_post_ops_t ops)
{
    switch (finish) {
    case MFM_CONV_BIAS_RELU:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
    case MFM_CONV_BIAS_SWISH:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_swish, 1, 0);
    case MFM_CONV_BIAS_HARD_SWISH:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_hardswish, 0, 0);
    case MFM_CONV_BIAS_RELU6:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_clip, 0, 6);
    default: /* the bias alone, or nothing */
        return dnnl_success;
    }
}

/* The scratchpad is the caller's; FORWARD_ADD has y as a summand. */
static dnnl_status_t make_attr(const onednn *conv, int which, dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status != dnnl_success || (which != FORWARD_ADD && !conv->shape.finish))
        return status;
    dnnl_post_ops_t ops = NULL;
    status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success)
        status = which == FORWARD_ADD ? dnnl_post_ops_append_sum(ops, 1)
                                      : append_finish(conv->shape.finish, ops);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

/* hint: the forward description, which the two gradients ask for. */
static int make_primitive_desc(mfm_ctx *ctx, const onednn *conv, int which,
                               dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *result)
{
    static const char *const name[] = {"forward", "forward with sum", "gradient of the input",
                                       "gradient of the weights"};
    dnnl_convolution_desc_t desc;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = describe(conv, which, hint, &desc);
    if (status == dnnl_success)
        status = make_attr(conv, which, &attr);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(result, &desc, attr, conv->engine, hint);
    dnnl_primitive_attr_destroy(attr);
    return check(ctx, status, name[which]);
}

static int make_reorder(mfm_ctx *ctx, onednn *conv, int which, const dnnl_memory_desc_t *packed)
{
    const dnnl_memory_desc_t *plain = &conv->weights_desc;
    const dnnl_memory_desc_t *from = which == WEIGHTS ? packed : plain;
    const dnnl_memory_desc_t *to = which == WEIGHTS ? plain : packed;
    direction *d = &conv->directions[which];
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&desc, from, conv->engine, to, conv->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&d->reorder, desc);
    if (status == dnnl_success)
        status = dnnl_memory_create(&d->packed, packed, conv->engine, DNNL_MEMORY_NONE);
    dnnl_primitive_desc_destroy(desc);
    return check(ctx, status, "reorder of the weights");
}

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static int make_direction(mfm_ctx *ctx, onednn *conv, int which, dnnl_primitive_desc_t desc)
{
    direction *d = &conv->directions[which];
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(
        desc, which == WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    const dnnl_memory_desc_t *pad = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    int status = check(ctx, dnnl_primitive_create(&d->run, desc), "primitive");
    if (!status)
        status = check(ctx, dnnl_memory_create(&d->scratchpad, pad, conv->engine, DNNL_MEMORY_NONE),
                       "scratchpad");
    if (!status && !dnnl_memory_desc_equal(packed, &conv->weights_desc))
        status = make_reorder(ctx, conv, which, packed);
    if (status)
        return status;
    d->packed_at = aligned(dnnl_memory_desc_get_size(pad));
    d->sum_at = d->packed_at + (d->reorder ? aligned(dnnl_memory_desc_get_size(packed)) : 0);
    d->size = which == FORWARD || which == FORWARD_ADD ? d->packed_at : d->sum_at;
    if (which == DATA)
        d->size += aligned(dnnl_memory_desc_get_size(&conv->image_desc));
    if (which == WEIGHTS) {
        const size_t plain = aligned(dnnl_memory_desc_get_size(&conv->weights_desc));
        d->size = d->sum_at > d->packed_at + plain ? d->sum_at : d->packed_at + plain;
    }
    return MFM_OK;
}

static unsigned wanted_of(const onednn *conv, unsigned directions)
{
    unsigned wanted = 0;
    if (directions >> MFM_CONV_FORWARD & 1)
        wanted |= 1u << FORWARD | (conv->shape.finish ? 0 : 1u << FORWARD_ADD);
    if (directions >> MFM_CONV_DATA & 1)
        wanted |= 1u << DATA;
    if (directions >> MFM_CONV_WEIGHTS & 1)
        wanted |= 1u << WEIGHTS;
    return wanted;
}

/* The two gradients need the forward description as a hint, whether it is run or not. */
static int make_directions(mfm_ctx *ctx, onednn *conv, unsigned wanted)
{
    dnnl_primitive_desc_t descs[DIRECTIONS] = {NULL};
    int status = MFM_OK;
    for (int i = 0; i < DIRECTIONS && !status; i++) {
        if (i != FORWARD && !(wanted >> i & 1))
            continue;
        status = make_primitive_desc(ctx, conv, i, descs[FORWARD], &descs[i]);
        if (!status && (wanted >> i & 1))
            status = make_direction(ctx, conv, i, descs[i]);
    }
    for (int i = 0; i < DIRECTIONS; i++)
        dnnl_primitive_desc_destroy(descs[i]);
    return status;
}

static void release(mfm_ctx *ctx, void *state)
{
    onednn *conv = state;
    if (!conv)
        return;
    for (int i = 0; i < DIRECTIONS; i++) {
        dnnl_primitive_destroy(conv->directions[i].run);
        dnnl_primitive_destroy(conv->directions[i].reorder);
        dnnl_memory_destroy(conv->directions[i].packed);
        dnnl_memory_destroy(conv->directions[i].scratchpad);
    }
    dnnl_memory_destroy(conv->image);
    dnnl_memory_destroy(conv->result);
    dnnl_memory_destroy(conv->weights);
    dnnl_memory_destroy(conv->bias);
    dnnl_stream_destroy(conv->stream);
    dnnl_engine_destroy(conv->engine);
    mfm_free(ctx, conv);
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *shape, unsigned directions, void **state)
{
    *state = NULL;
    onednn *conv = mfm_alloc(ctx, 1, sizeof *conv);
    if (!conv)
        return MFM_ENOMEM;
    conv->shape = *shape;
    int status = check(ctx, dnnl_engine_create(&conv->engine, dnnl_cpu, 0), "engine");
    if (!status)
        status =
            check(ctx, dnnl_stream_create(&conv->stream, conv->engine, dnnl_stream_default_flags),
                  "stream");
    if (!status)
        status = make_descs(ctx, conv);
    if (!status)
        status = make_memories(ctx, conv);
    if (!status)
        status = make_directions(ctx, conv, wanted_of(conv, directions));
    if (status) {
        release(ctx, conv);
        return status;
    }
    *state = conv;
    return MFM_OK;
}

static size_t scratch_size(const void *state)
{
    const onednn *conv = state;
    size_t bytes = 0;
    for (int i = 0; i < DIRECTIONS; i++)
        bytes = conv->directions[i].size > bytes ? conv->directions[i].size : bytes;
    return bytes / sizeof(real);
}

/* ---- running -------------------------------------------------------------------------------- */

static bool point(dnnl_memory_t memory, const void *data)
{
    return dnnl_memory_set_data_handle(memory, (void *)data) == dnnl_success;
}

/* from -> to, both pointed at their data. */
static bool reorder(const onednn *conv, const direction *d, dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return dnnl_primitive_execute(d->reorder, conv->stream, 2, args) == dnnl_success;
}

/* Points the direction's weights at w, packed when need be and asked for; NULL on failure. */
static dnnl_memory_t place_weights(const onednn *conv, const direction *d, const real *w, bool pack,
                                   char *scratch)
{
    if (!point(conv->weights, w))
        return NULL;
    if (!d->reorder)
        return conv->weights;
    if (!point(d->packed, scratch + d->packed_at))
        return NULL;
    return !pack || reorder(conv, d, conv->weights, d->packed) ? d->packed : NULL;
}

static bool run(const onednn *conv, const direction *d, int n_args, dnnl_exec_arg_t *args,
                char *scratch)
{
    if (!point(d->scratchpad, scratch))
        return false;
    args[n_args] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, d->scratchpad};
    return dnnl_primitive_execute(d->run, conv->stream, n_args + 1, args) == dnnl_success;
}

/* Running has no way to fail: a refusal by oneDNN shows as results that are no numbers. */
static void spoil(real *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)NAN;
}

static void add_to(const real *restrict from, real *restrict to, int64_t count)
{
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

static size_t packed_size(const void *state)
{
    const direction *d = &((const onednn *)state)->directions[FORWARD];
    return d->reorder ? (d->sum_at - d->packed_at) / sizeof(real) : 0;
}

static void pack(const void *state, const real *w, real *packed)
{
    const onednn *conv = state;
    const direction *d = &conv->directions[FORWARD];
    if (!point(conv->weights, w) || !point(d->packed, packed) ||
        !reorder(conv, d, conv->weights, d->packed))
        spoil(packed, (int64_t)packed_size(conv));
}

/* bias NULL: there is none. */
static void run_forward(const onednn *conv, int which, const real *x, const real *packed,
                        const real *bias, real *y, real *scratch)
{
    const direction *d = &conv->directions[which];
    const dnnl_memory_t weights = d->reorder ? d->packed : conv->weights;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, conv->image},
                              {DNNL_ARG_WEIGHTS, weights},
                              {DNNL_ARG_DST, conv->result},
                              {DNNL_ARG_BIAS, conv->bias},
                              {0}};
    if (!point(weights, packed) || !point(conv->image, x) || !point(conv->result, y) ||
        !point(conv->bias, bias) || !run(conv, d, bias ? 4 : 3, args, (char *)scratch))
        spoil(y, mfm_conv_result_count(&conv->shape));
}

static void forward(const void *state, const real *x, const real *packed, real *y, bool add,
                    real *scratch)
{
    run_forward(state, add ? FORWARD_ADD : FORWARD, x, packed, NULL, y, scratch);
}

static void forward_finished(const void *state, const real *x, const real *packed, const real *bias,
                             real *y, real *scratch)
{
    run_forward(state, FORWARD, x, packed, bias, y, scratch);
}

static void backward_data(const void *state, const real *gy, const real *w, real *gx, bool add,
                          real *scratch)
{
    const onednn *conv = state;
    const direction *d = &conv->directions[DATA];
    real *to = add ? (real *)((char *)scratch + d->sum_at) : gx;
    const dnnl_memory_t weights = place_weights(conv, d, w, true, (char *)scratch);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_DST, conv->result},
                              {DNNL_ARG_WEIGHTS, weights},
                              {DNNL_ARG_DIFF_SRC, conv->image},
                              {0}};
    const int64_t count = mfm_conv_image_count(&conv->shape);
    if (!weights || !point(conv->result, gy) || !point(conv->image, to) ||
        !run(conv, d, 3, args, (char *)scratch))
        spoil(to, count);
    if (add)
        add_to(to, gx, count);
}

/* As oneDNN lays it out. */
static size_t weights_sum(const void *state)
{
    const onednn *conv = state;
    const direction *d = &conv->directions[WEIGHTS];
    return d->reorder ? (d->sum_at - d->packed_at) / sizeof(real)
                      : (size_t)mfm_conv_weight_count(&conv->shape);
}

static void backward_weights(const void *state, const real *gy, const real *x, real *sum, bool add,
                             real *scratch)
{
    const onednn *conv = state;
    const direction *d = &conv->directions[WEIGHTS];
    real *to = add ? (real *)((char *)scratch + d->packed_at) : sum;
    const dnnl_memory_t weights = d->reorder ? d->packed : conv->weights;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_DST, conv->result},
                              {DNNL_ARG_SRC, conv->image},
                              {DNNL_ARG_DIFF_WEIGHTS, weights},
                              {0}};
    if (!point(weights, to) || !point(conv->result, gy) || !point(conv->image, x) ||
        !run(conv, d, 3, args, (char *)scratch))
        spoil(to, (int64_t)weights_sum(conv));
    if (add)
        add_to(to, sum, (int64_t)weights_sum(conv));
}

static void weights_finish(const void *state, real *sum, real *gw, bool add, real *scratch)
{
    const onednn *conv = state;
    const direction *d = &conv->directions[WEIGHTS];
    const int64_t count = mfm_conv_weight_count(&conv->shape);
    real *to = add ? (real *)((char *)scratch + d->packed_at) : gw;
    if (!d->reorder) {
        to = sum;
        if (!add)
            memcpy(gw, sum, (size_t)count * sizeof *gw);
    } else if (!point(d->packed, sum) || !point(conv->weights, to) ||
               !reorder(conv, d, d->packed, conv->weights)) {
        spoil(to, count);
    }
    if (add)
        add_to(to, gw, count);
}

static bool fits(const mfm_conv_shape *shape, enum mfm_conv_direction which)
{
    (void)shape, (void)which;
    return true;
}

const mfm_conv_impl mfm_conv_general = {
    .name = "oneDNN",
    .dispatches = true,
    .fits = fits,
    .make = make,
    .release = release,
    .scratch = scratch_size,
    .packed = packed_size,
    .pack = pack,
    .forward = forward,
    .forward_finished = forward_finished,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .weights_sum = weights_sum,
    .weights_finish = weights_finish,
};
