/*
 * The gradient of the weights of a convolution by 1 x 1 with stride 1 is a matrix product over all
 * pixels P of all images,
 *     gw [o, c] = gy [P, o]^T x [P, c],
 * as fast as any for many channels, where convolution libraries are not. The other directions are
 * left to those.
 */
#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/gemm/gemm.h"
#include "core/engine/kernels/vec.h"

enum { MANY_CHANNELS = 256 };

static int64_t pixels(const mfm_conv_shape *s)
{
    return s->n * s->h * s->w;
}

static bool fits(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    const bool point = s->kh == 1 && s->kw == 1 && s->groups == 1 && s->stride[0] == 1 &&
                       s->stride[1] == 1 && s->oh == s->h && s->ow == s->w &&
                       s->pad_begin[0] == 0 && s->pad_begin[1] == 0;
    return (int)MFM_VEC_BYTES <= (int)MFM_CONV_NARROW_BYTES && direction == MFM_CONV_WEIGHTS &&
           point && s->c >= MANY_CHANNELS && s->o >= MANY_CHANNELS && pixels(s) <= MFM_GEMM_MAX;
}

static int make(mfm_ctx *ctx, const mfm_conv_shape *s, unsigned directions, void **state)
{
    (void)directions;
    mfm_conv_shape *copy = mfm_alloc(ctx, 1, sizeof *copy);
    *state = copy;
    if (!copy)
        return MFM_ENOMEM;
    *copy = *s;
    return MFM_OK;
}

static void release(mfm_ctx *ctx, void *state)
{
    mfm_free(ctx, state);
}

static size_t nothing(const void *state)
{
    (void)state;
    return 0;
}

static void weights_at_once(const void *state, const real *gy, const real *x, real *gw, bool add,
                            real *scratch)
{
    const mfm_conv_shape *s = state;
    const mfm_share share = s->share.samples ? s->share : mfm_share_whole(s->n);
    (void)scratch;
    mfm_gemm_run(&(mfm_gemm){.transpose_a = true,
                             .m = s->o,
                             .n = s->c,
                             .k = pixels(s),
                             .alpha = 1,
                             .a = gy,
                             .lda = s->o,
                             .b = x,
                             .ldb = s->c,
                             .add = add,
                             .c = gw,
                             .ldc = s->c,
                             .share = &share});
}

const mfm_conv_impl mfm_conv_pointwise = {
    .name = "matrix product",
    .fits = fits,
    .make = make,
    .release = release,
    .scratch = nothing,
    .packed = nothing,
    .weights_at_once = weights_at_once,
};
