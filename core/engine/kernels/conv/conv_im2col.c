/*
 * Convolution as matrix products over the columns of im2col, a bounded block of result rows at a
 * time. With R windows in a block, K = kh kw c / groups and O = o / groups, per group:
 *     forward   y  [R, O] = columns [R, K] w^T        w is [O, K]
 *     data      columns [R, K] = gy [R, O] w,         added back to gx
 *     weights   gw [O, K] += gy^T columns
 * A 1x1 kernel with stride 1 and no padding has the image itself for columns.
 */
#include <string.h>

#include "core/engine/kernels/conv/conv_finish.h"
#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/im2col.h"
#include "core/engine/kernels/gemm/gemm.h"

/* Reals of columns in one block: they stay in the outer cache and still make large products. */
enum { BLOCK_REALS = 1 << 19, BLOCK_WINDOWS = 1 << 30 };

typedef struct im2col {
    mfm_conv_shape shape;
    int64_t depth, results; /* channels of a group: input, result */
    int64_t length;         /* kh kw depth */
    int64_t rows;           /* result rows of a block */
    bool pointwise;
    bool sums;      /* gradients of the weights will be summed up, behind the columns */
    size_t columns; /* reals */
} im2col;

static bool is_pointwise(const mfm_conv_shape *s)
{
    bool plain = s->kh == 1 && s->kw == 1;
    for (int axis = 0; axis < 2; axis++)
        plain = plain && s->stride[axis] == 1 && !s->pad_begin[axis] && !s->pad_end[axis];
    return plain;
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *shape, unsigned directions, void **state)
{
    *state = NULL;
    im2col *conv = mfm_alloc(ctx, 1, sizeof *conv);
    if (!conv)
        return MFM_ENOMEM;
    conv->shape = *shape;
    conv->depth = shape->c / shape->groups;
    conv->results = shape->o / shape->groups;
    conv->length = shape->kh * shape->kw * conv->depth;
    conv->pointwise = is_pointwise(shape);
    const int64_t all = shape->n * shape->oh;
    int64_t rows =
        conv->pointwise ? BLOCK_WINDOWS / shape->ow : BLOCK_REALS / conv->length / shape->ow;
    rows = rows < 1 ? 1 : rows < shape->oh ? rows : rows / shape->oh * shape->oh;
    conv->rows = rows < all ? rows : all;
    conv->columns = conv->pointwise ? 0 : (size_t)(conv->rows * shape->ow * conv->length);
    conv->sums = directions >> MFM_CONV_WEIGHTS & 1;
    *state = conv;
    return MFM_OK;
}

static void release(mfm_ctx *ctx, void *state)
{
    im2col *conv = state;
    mfm_free(ctx, conv);
}

static size_t scratch_size(const void *state)
{
    const im2col *conv = state;
    return conv->columns + (conv->sums ? (size_t)mfm_conv_weight_count(&conv->shape) : 0);
}

/* Result rows [r0, r1) of one group. A block has whole images or lies within one, so that windows
 * are added to an image in the same order whichever images are at hand. */
typedef struct block {
    int64_t group, r0, r1, windows;
} block;

static block block_at(const im2col *conv, int64_t group, int64_t r0)
{
    const int64_t all = conv->shape.n * conv->shape.oh, oh = conv->shape.oh;
    const int64_t image_end = conv->rows < oh ? (r0 / oh + 1) * oh : all;
    const int64_t r1 = r0 + conv->rows < image_end ? r0 + conv->rows : image_end;
    return (block){group, r0, r1, (r1 - r0) * conv->shape.ow};
}

static int64_t image_at(const im2col *conv, const block *b)
{
    return b->r0 * conv->shape.ow * conv->shape.c + b->group * conv->depth;
}

static int64_t result_at(const im2col *conv, const block *b)
{
    return b->r0 * conv->shape.ow * conv->shape.o + b->group * conv->results;
}

static int64_t weights_at(const im2col *conv, const block *b)
{
    return b->group * conv->results * conv->length;
}

/* The columns of a block and their row length. */
static const real *columns_of(const im2col *conv, const block *b, const real *x, real *scratch,
                              int64_t *row_length)
{
    if (conv->pointwise) {
        *row_length = conv->shape.c;
        return x + image_at(conv, b);
    }
    *row_length = conv->length;
    mfm_im2col(&conv->shape, b->group, b->r0, b->r1, x, scratch);
    return scratch;
}

static size_t packed_size(const void *state)
{
    (void)state;
    return 0;
}

static void forward(const void *state, const real *x, const real *w, real *y, bool add,
                    real *scratch)
{
    const im2col *conv = state;
    const mfm_conv_shape *s = &conv->shape;
    const int64_t all = s->n * s->oh;
    for (int64_t group = 0; group < s->groups; group++)
        for (block b = block_at(conv, group, 0); b.r0 < all; b = block_at(conv, group, b.r1)) {
            int64_t row_length;
            const real *columns = columns_of(conv, &b, x, scratch, &row_length);
            mfm_gemm_run(&(mfm_gemm){.transpose_b = true,
                                     .m = b.windows,
                                     .n = conv->results,
                                     .k = conv->length,
                                     .alpha = 1,
                                     .a = columns,
                                     .lda = row_length,
                                     .b = w + weights_at(conv, &b),
                                     .ldb = conv->length,
                                     .add = add,
                                     .c = y + result_at(conv, &b),
                                     .ldc = s->o});
        }
}

static void forward_finished(const void *state, const real *x, const real *packed, const real *bias,
                             real *y, real *scratch)
{
    const mfm_conv_shape *s = &((const im2col *)state)->shape;
    forward(state, x, packed, y, false, scratch);
    mfm_conv_finish_rows(s->finish, s->n * s->oh * s->ow, s->o, bias, y);
}

static void backward_data(const void *state, const real *gy, const real *w, real *gx, bool add,
                          real *scratch)
{
    const im2col *conv = state;
    const mfm_conv_shape *s = &conv->shape;
    const int64_t all = s->n * s->oh;
    if (!add && !conv->pointwise)
        memset(gx, 0, (size_t)mfm_conv_image_count(s) * sizeof *gx);
    for (int64_t group = 0; group < s->groups; group++)
        for (block b = block_at(conv, group, 0); b.r0 < all; b = block_at(conv, group, b.r1)) {
            real *to = conv->pointwise ? gx + image_at(conv, &b) : scratch;
            mfm_gemm_run(&(mfm_gemm){.m = b.windows,
                                     .n = conv->length,
                                     .k = conv->results,
                                     .alpha = 1,
                                     .a = gy + result_at(conv, &b),
                                     .lda = s->o,
                                     .b = w + weights_at(conv, &b),
                                     .ldb = conv->length,
                                     .add = conv->pointwise && add,
                                     .c = to,
                                     .ldc = conv->pointwise ? s->c : conv->length});
            if (!conv->pointwise)
                mfm_im2col_adjoint(s, group, b.r0, b.r1, scratch, gx);
        }
}

static void backward_weights(const void *state, const real *gy, const real *x, real *gw, bool add,
                             real *scratch)
{
    const im2col *conv = state;
    const mfm_conv_shape *s = &conv->shape;
    const int64_t count = mfm_conv_weight_count(s), all = s->n * s->oh;
    real *to = add ? scratch + conv->columns : gw;
    for (int64_t group = 0; group < s->groups; group++)
        for (block b = block_at(conv, group, 0); b.r0 < all; b = block_at(conv, group, b.r1)) {
            int64_t row_length;
            const real *columns = columns_of(conv, &b, x, scratch, &row_length);
            mfm_gemm_run(&(mfm_gemm){.transpose_a = true,
                                     .m = conv->results,
                                     .n = conv->length,
                                     .k = b.windows,
                                     .alpha = 1,
                                     .a = gy + result_at(conv, &b),
                                     .lda = s->o,
                                     .b = columns,
                                     .ldb = row_length,
                                     .add = b.r0 > 0,
                                     .c = to + weights_at(conv, &b),
                                     .ldc = conv->length});
        }
    for (int64_t i = 0; add && i < count; i++)
        gw[i] += to[i];
}

static bool fits(const mfm_conv_shape *shape, enum mfm_conv_direction direction)
{
    (void)shape, (void)direction;
    return true;
}

const mfm_conv_impl mfm_conv_general = {
    .name = "im2col",
    .fits = fits,
    .make = make,
    .release = release,
    .scratch = scratch_size,
    .packed = packed_size,
    .forward = forward,
    .forward_finished = forward_finished,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
