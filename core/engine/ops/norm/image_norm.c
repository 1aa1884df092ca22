#include "core/engine/ops/norm/image_norm.h"

#include <math.h>

/* Checks num_groups; the numbers that scale and bias must have. */
static int count_scales(mfm_ctx *ctx, const mfm_node *node, int64_t channels, int64_t *count)
{
    const mfm_image_norm_attr *attr = node->attr;
    const bool groups = mfm_attr_find(node->op, "num_groups") != NULL;
    *count = channels;
    if (!groups)
        return MFM_OK;
    if (attr->num_groups < 1 || channels % attr->num_groups)
        return mfm_infer_fail(ctx, node, "num_groups %lld of %lld channels: must divide them",
                              (long long)attr->num_groups, (long long)channels);
    if (node->opset < 21)
        *count = attr->num_groups;
    return MFM_OK;
}

int mfm_image_norm_infer(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_image_norm_attr *attr = node->attr;
    const mfm_shape *x = &node->in[MFM_IMAGE_NORM_INPUT]->shape;
    char text[MFM_SHAPE_TEXT];
    int64_t count;
    if (!(attr->epsilon >= 0 && attr->epsilon < INFINITY))
        return mfm_infer_fail(ctx, node, "epsilon %g: must be finite and not negative",
                              attr->epsilon);
    if (x->rank < 3 || mfm_shape_count(x) < 1)
        return mfm_infer_fail(ctx, node, "input %s: must be [n, c, ...] with elements",
                              mfm_shape_text(x, text));
    const int status = count_scales(ctx, node, x->dim[1], &count);
    if (status)
        return status;
    const mfm_shape wanted = {.rank = 1, .dim = {count}};
    for (int i = MFM_IMAGE_NORM_SCALE; i <= MFM_IMAGE_NORM_BIAS; i++)
        if (!mfm_shape_equal(&node->in[i]->shape, &wanted))
            return mfm_infer_fail(ctx, node, "%s %s: must have %lld numbers",
                                  node->op->inputs[i].name,
                                  mfm_shape_text(&node->in[i]->shape, text), (long long)count);
    return mfm_infer_same(ctx, node);
}
