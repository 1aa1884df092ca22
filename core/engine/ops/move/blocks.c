#include "core/engine/ops/move/blocks.h"

#include "core/engine/kernels/strided.h"

/* Far beyond any image, and small enough that its square leaves no 64 bits. */
enum { LARGEST = 1 << 24 };

int mfm_blocks_infer(mfm_ctx *ctx, const mfm_node *node)
{
    const int64_t b = ((const mfm_blocks_attr *)node->attr)->blocksize;
    char text[MFM_SHAPE_TEXT];
    if (node->in[0]->shape.rank != 4)
        return mfm_infer_fail(ctx, node, "input %s: must be [n, channels, height, width]",
                              mfm_shape_text(&node->in[0]->shape, text));
    if (b < 1 || b > LARGEST)
        return mfm_infer_fail(ctx, node, "blocksize %lld: must be in [1, %d]", (long long)b,
                              LARGEST);
    return MFM_OK;
}

void mfm_blocks_copy(const mfm_blocks_attr *attr, const mfm_shape *deep, const mfm_shape *wide,
                     bool widen, const real *from, real *to, bool add)
{
    const int64_t b = attr->blocksize, c = wide->dim[1];
    const mfm_shape shape = {.rank = 6, .dim = {deep->dim[0], c, deep->dim[2], b, deep->dim[3], b}};
    int64_t d[MFM_MAX_RANK], w[MFM_MAX_RANK];
    mfm_shape_strides(deep, d);
    mfm_shape_strides(wide, w);
    const int64_t place = attr->mode == MFM_BLOCKS_DCR ? d[1] * c : d[1];
    const int64_t channel = attr->mode == MFM_BLOCKS_DCR ? d[1] : d[1] * b * b;
    const int64_t deep_strides[] = {d[0], channel, d[2], place * b, d[3], place};
    const int64_t wide_strides[] = {w[0], w[1], w[2] * b, w[2], w[3] * b, w[3]};
    mfm_strided_copy(&shape, from, widen ? deep_strides : wide_strides, 1, to,
                     widen ? wide_strides : deep_strides, add);
}
