/*
 * Convolution by oneDNN (conv_onednn.c): making its primitives. Weights are the plain
 * [o, kh, kw, c / groups] or, when oneDNN chooses another layout, reordered from it.
 */
#include <dnnl_debug.h>

#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/onednn/conv_onednn.h"

enum {
    ALIGN = 64,
    NEEDED = 16 << 20 /* bytes: more than what oneDNN allocates for a primitive and its code */
};

static int check(mfm_ctx *ctx, dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return MFM_OK;
    return mfm_fail(ctx, status == dnnl_out_of_memory ? MFM_ENOMEM : MFM_ENOTSUP,
                    "convolution: oneDNN %s: %s", what, dnnl_status2str(status));
}

/* oneDNN counts dilation from 0, and knows groups by a fifth axis of the weights. */
static int make_descs(mfm_ctx *ctx, mfm_onednn *conv)
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

static int make_memories(mfm_ctx *ctx, mfm_onednn *conv)
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

/* The operation with free weight layout. forward: the description of the forward pass, whose layout
 * the one that adds takes. */
static dnnl_status_t describe(const mfm_onednn *conv, int which,
                              const_dnnl_primitive_desc_t forward, dnnl_convolution_desc_t *desc)
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
    if (which == MFM_ONEDNN_FORWARD_ADD) /* weights packed for one serve the other */
        weights = *dnnl_primitive_desc_query_md(forward, dnnl_query_weights_md, 0);
    switch (which) {
    case MFM_ONEDNN_DATA:
        return dnnl_dilated_convolution_backward_data_desc_init(
            desc, dnnl_convolution_direct, &conv->image_desc, &weights, &conv->result_desc, stride,
            dilation, begin, end);
    case MFM_ONEDNN_WEIGHTS:
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

/* The scratchpad is the caller's; forward, adding, has y as a summand. */
static dnnl_status_t make_attr(const mfm_onednn *conv, int which, dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status != dnnl_success || (which != MFM_ONEDNN_FORWARD_ADD && !conv->shape.finish))
        return status;
    dnnl_post_ops_t ops = NULL;
    status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success)
        status = which == MFM_ONEDNN_FORWARD_ADD ? dnnl_post_ops_append_sum(ops, 1)
                                                 : append_finish(conv->shape.finish, ops);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

/* hint: the forward description, which the two gradients ask for. */
static int make_primitive_desc(mfm_ctx *ctx, const mfm_onednn *conv, int which,
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

static int make_reorder(mfm_ctx *ctx, mfm_onednn *conv, int which, const dnnl_memory_desc_t *packed)
{
    const dnnl_memory_desc_t *plain = &conv->weights_desc;
    const dnnl_memory_desc_t *from = which == MFM_ONEDNN_WEIGHTS ? packed : plain;
    const dnnl_memory_desc_t *to = which == MFM_ONEDNN_WEIGHTS ? plain : packed;
    mfm_onednn_part *d = &conv->parts[which];
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

static int make_direction(mfm_ctx *ctx, mfm_onednn *conv, int which, dnnl_primitive_desc_t desc)
{
    mfm_onednn_part *d = &conv->parts[which];
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(
        desc, which == MFM_ONEDNN_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
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
    d->size =
        which == MFM_ONEDNN_FORWARD || which == MFM_ONEDNN_FORWARD_ADD ? d->packed_at : d->sum_at;
    if (which == MFM_ONEDNN_DATA)
        d->size += aligned(dnnl_memory_desc_get_size(&conv->image_desc));
    if (which == MFM_ONEDNN_WEIGHTS) {
        const size_t plain = aligned(dnnl_memory_desc_get_size(&conv->weights_desc));
        d->size = d->sum_at > d->packed_at + plain ? d->sum_at : d->packed_at + plain;
    }
    return MFM_OK;
}

static unsigned wanted_of(const mfm_onednn *conv, unsigned directions)
{
    unsigned wanted = 0;
    if (directions >> MFM_CONV_FORWARD & 1)
        wanted |=
            1u << MFM_ONEDNN_FORWARD | (conv->shape.finish ? 0 : 1u << MFM_ONEDNN_FORWARD_ADD);
    if (directions >> MFM_CONV_DATA & 1)
        wanted |= 1u << MFM_ONEDNN_DATA;
    if (directions >> MFM_CONV_WEIGHTS & 1)
        wanted |= 1u << MFM_ONEDNN_WEIGHTS;
    return wanted;
}

/* The two gradients need the forward description as a hint, whether it is run or not. Where memory
 * runs out in oneDNN, an exception of C++ ends the process: hence it is asked for before. */
static int make_directions(mfm_ctx *ctx, mfm_onednn *conv, unsigned wanted)
{
    dnnl_primitive_desc_t descs[MFM_ONEDNN_DIRECTIONS] = {NULL};
    int status = MFM_OK;
    for (int i = 0; i < MFM_ONEDNN_DIRECTIONS && !status; i++) {
        if (i != MFM_ONEDNN_FORWARD && !(wanted >> i & 1))
            continue;
        status = mfm_require_memory(ctx, NEEDED);
        if (!status)
            status = make_primitive_desc(ctx, conv, i, descs[MFM_ONEDNN_FORWARD], &descs[i]);
        if (!status && (wanted >> i & 1))
            status = make_direction(ctx, conv, i, descs[i]);
    }
    for (int i = 0; i < MFM_ONEDNN_DIRECTIONS; i++)
        dnnl_primitive_desc_destroy(descs[i]);
    return status;
}

void mfm_onednn_release(mfm_ctx *ctx, void *state)
{
    mfm_onednn *conv = state;
    if (!conv)
        return;
    for (int i = 0; i < MFM_ONEDNN_DIRECTIONS; i++) {
        dnnl_primitive_destroy(conv->parts[i].run);
        dnnl_primitive_destroy(conv->parts[i].reorder);
        dnnl_memory_destroy(conv->parts[i].packed);
        dnnl_memory_destroy(conv->parts[i].scratchpad);
    }
    dnnl_memory_destroy(conv->image);
    dnnl_memory_destroy(conv->result);
    dnnl_memory_destroy(conv->weights);
    dnnl_memory_destroy(conv->bias);
    dnnl_stream_destroy(conv->stream);
    dnnl_engine_destroy(conv->engine);
    mfm_free(ctx, conv);
}

int mfm_onednn_make(mfm_ctx *ctx, const mfm_conv_shape *shape, unsigned directions, void **state)
{
    *state = NULL;
    mfm_onednn *conv = mfm_alloc(ctx, 1, sizeof *conv);
    if (!conv)
        return MFM_ENOMEM;
    conv->shape = *shape;
    int status = mfm_require_memory(ctx, NEEDED);
    if (!status)
        status = check(ctx, dnnl_engine_create(&conv->engine, dnnl_cpu, 0), "engine");
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
        mfm_onednn_release(ctx, conv);
        return status;
    }
    *state = conv;
    return MFM_OK;
}
