#include "core/engine/ops/images/conv_common.h"

#include "core/engine/kernels/broadcast.h"
#include "core/engine/kernels/conv/conv_shape.h"

int mfm_conv_check_ranks(mfm_ctx *ctx, const mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    char text[MFM_SHAPE_TEXT], other[MFM_SHAPE_TEXT];
    if (x->rank != w->rank)
        return mfm_infer_fail(ctx, node, "weights %s: must have as many axes as the input %s",
                              mfm_shape_text(w, text), mfm_shape_text(x, other));
    if (x->rank < 3 || x->rank > 2 + MFM_WINDOW_AXES)
        return mfm_infer_fail(ctx, node, "input %s: must have three to %d axes",
                              mfm_shape_text(x, text), 2 + MFM_WINDOW_AXES);
    return MFM_OK;
}

int mfm_conv_check_bias(mfm_ctx *ctx, const mfm_node *node, int64_t channels)
{
    char text[MFM_SHAPE_TEXT];
    if (node->n_in > 2 && node->in[2] &&
        (node->in[2]->shape.rank != 1 || node->in[2]->shape.dim[0] != channels))
        return mfm_infer_fail(ctx, node, "bias %s: must be [%lld], one number a result channel",
                              mfm_shape_text(&node->in[2]->shape, text), (long long)channels);
    return MFM_OK;
}

/* All of them where axis 0 is not the batch. */
static mfm_share share_of(const mfm_node *node, int64_t n)
{
    return mfm_share_count(&node->share) == n ? node->share : mfm_share_whole(n);
}

mfm_conv_shape mfm_conv_shape_of(const mfm_node *node, const mfm_window *w, const mfm_shape *image,
                                 const int64_t *image_lengths, const mfm_shape *result,
                                 const int64_t *result_lengths)
{
    mfm_conv_shape shape = {.n = image->dim[0],
                            .share = share_of(node, image->dim[0]),
                            .c = image->dim[1],
                            .h = image_lengths[MFM_ROWS],
                            .w = image_lengths[MFM_COLUMNS],
                            .o = result->dim[1],
                            .oh = result_lengths[MFM_ROWS],
                            .ow = result_lengths[MFM_COLUMNS],
                            .kh = w->kernel[MFM_ROWS],
                            .kw = w->kernel[MFM_COLUMNS],
                            .groups = ((const mfm_conv_attr *)node->attr)->group,
                            .row_major = image->rank != 4,
                            .depth = {.in = image_lengths[MFM_DEPTH],
                                      .out = result_lengths[MFM_DEPTH],
                                      .kernel = w->kernel[MFM_DEPTH],
                                      .stride = w->stride[MFM_DEPTH],
                                      .dilation = w->dilation[MFM_DEPTH],
                                      .pad_begin = w->pad_begin[MFM_DEPTH]}};
    for (int i = 0; i < 2; i++) {
        shape.stride[i] = w->stride[MFM_ROWS + i];
        shape.dilation[i] = w->dilation[MFM_ROWS + i];
        shape.pad_begin[i] = w->pad_begin[MFM_ROWS + i];
        shape.pad_end[i] = w->pad_end[MFM_ROWS + i];
    }
    return shape;
}

static int fail(mfm_ctx *ctx, const mfm_node *node, int status)
{
    return mfm_fail_in(ctx, status, "%s '%s'", node->op->name, node->name ? node->name : "");
}

int mfm_conv_check_result(mfm_ctx *ctx, const mfm_node *node, const char *what,
                          const mfm_conv_shape *shape)
{
    int status = mfm_shape_check(ctx, &node->out[0]->shape, what);
    if (!status)
        status = mfm_conv_check(ctx, shape);
    return status ? fail(ctx, node, status) : MFM_OK;
}

int mfm_conv_setup(mfm_ctx *ctx, mfm_node *node, const mfm_conv_shape *shape, bool frozen)
{
    mfm_conv *conv = NULL;
    const int status = mfm_conv_new(ctx, shape, frozen, &conv);
    if (status)
        return fail(ctx, node, status);
    node->kernel = conv;
    node->scratch_size = mfm_conv_scratch(conv);
    node->packed_size = frozen ? mfm_conv_packed(conv) : 0;
    return MFM_OK;
}

void mfm_conv_release(mfm_ctx *ctx, mfm_node *node)
{
    mfm_conv_free(ctx, node->kernel);
    node->kernel = NULL;
}

const mfm_port mfm_conv_inputs[] = {{"X", MFM_DATA, false, false},
                                    {"W", MFM_PARAM, false, false},
                                    {"B", MFM_PARAM, true, false},
                                    {0}};
const mfm_port mfm_conv_outputs[] = {{"Y", MFM_DATA, false, false}, {0}};

/* The bias as the shape that broadcasts over the result. */
static mfm_shape by_channel(const mfm_node *node)
{
    const mfm_shape *y = &node->out[0]->shape;
    return (mfm_shape){.rank = y->rank, .dim = {1, y->dim[1], 1, 1, 1}};
}

void mfm_conv_bias(const mfm_node *node, const real *b, real *y, bool add)
{
    const mfm_shape shape = by_channel(node);
    mfm_broadcast_copy(&node->out[0]->shape, &shape, b, 1, y, add);
}

void mfm_conv_adjoint_bias(const mfm_node *node, const real *g, real *gb, bool add)
{
    const mfm_shape shape = by_channel(node);
    mfm_broadcast_reduce(&node->share, &node->out[0]->shape, g, NULL, NULL, 1, &shape, gb, add);
}
