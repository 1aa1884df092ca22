#include "core/engine/kernels/conv/conv_shape.h"

#include "core/base/shape.h"

/* Single extents stay far below 2^31, so that sums and products of two are safe in 64 bits. */
enum { MAX_EXTENT = 1 << 30 };

static int check_extents(mfm_ctx *ctx, const mfm_conv_shape *s)
{
    const int64_t size[] = {s->n,         s->c,         s->h,           s->w,          s->o,
                            s->oh,        s->ow,        s->kh,          s->kw,         s->groups,
                            s->stride[0], s->stride[1], s->dilation[0], s->dilation[1]};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
        if (size[i] < 1 || size[i] > MAX_EXTENT)
            return mfm_fail(ctx, MFM_EDATA, "convolution: size %lld: must be in [1, %d]",
                            (long long)size[i], MAX_EXTENT);
    for (int axis = 0; axis < 2; axis++)
        if (s->pad_begin[axis] < 0 || s->pad_end[axis] < 0 || s->pad_begin[axis] > MAX_EXTENT ||
            s->pad_end[axis] > MAX_EXTENT)
            return mfm_fail(ctx, MFM_EDATA,
                            "convolution: padding %lld and %lld: must be in [0, %d]",
                            (long long)s->pad_begin[axis], (long long)s->pad_end[axis], MAX_EXTENT);
    return MFM_OK;
}

/* out = floor((in + padding - ((k - 1) dilation + 1)) / stride) + 1 */
static int check_axis(mfm_ctx *ctx, const mfm_conv_shape *s, int axis, int64_t in, int64_t k,
                      int64_t out)
{
    const int64_t room =
        in + s->pad_begin[axis] + s->pad_end[axis] - ((k - 1) * s->dilation[axis] + 1);
    if (room < 0)
        return mfm_fail(ctx, MFM_EDATA,
                        "convolution: kernel %lld over %lld: must fit into the padded image",
                        (long long)k, (long long)in);
    if (out != room / s->stride[axis] + 1)
        return mfm_fail(ctx, MFM_EDATA, "convolution: result size %lld: must be %lld",
                        (long long)out, (long long)(room / s->stride[axis] + 1));
    return MFM_OK;
}

/* The matrix products take 32-bit row and column numbers. */
static int check_products(mfm_ctx *ctx, const mfm_conv_shape *s)
{
    const mfm_shape window = {.rank = 3, .dim = {s->kh, s->kw, s->c / s->groups}};
    const mfm_shape image = {.rank = 4, .dim = {s->n, s->c, s->h, s->w}};
    const mfm_shape result = {.rank = 4, .dim = {s->n, s->o, s->oh, s->ow}};
    const mfm_shape weights = {.rank = 4, .dim = {s->o, s->c / s->groups, s->kh, s->kw}};
    int status = mfm_shape_check(ctx, &window, "convolution window");
    if (!status)
        status = mfm_shape_check(ctx, &image, "convolution input");
    if (!status)
        status = mfm_shape_check(ctx, &result, "convolution result");
    if (!status)
        status = mfm_shape_check(ctx, &weights, "convolution weights");
    if (!status && mfm_shape_count(&window) > MAX_EXTENT)
        return mfm_fail(ctx, MFM_ENOTSUP, "convolution: %lld values in a window: at most %d",
                        (long long)mfm_shape_count(&window), MAX_EXTENT);
    return status;
}

int mfm_conv_check(mfm_ctx *ctx, const mfm_conv_shape *s)
{
    int status = check_extents(ctx, s);
    if (status)
        return status;
    if (s->c % s->groups || s->o % s->groups)
        return mfm_fail(ctx, MFM_EDATA,
                        "convolution: %lld groups of %lld to %lld channels: must divide both",
                        (long long)s->groups, (long long)s->c, (long long)s->o);
    status = check_axis(ctx, s, 0, s->h, s->kh, s->oh);
    if (!status)
        status = check_axis(ctx, s, 1, s->w, s->kw, s->ow);
    return status ? status : check_products(ctx, s);
}

int64_t mfm_conv_samples(const mfm_conv_shape *s)
{
    return s->share.samples ? s->share.samples : s->n;
}

bool mfm_conv_few_channels(const mfm_conv_shape *s)
{
    return s->groups == 1 && s->c <= 8 && s->o <= 32;
}

int64_t mfm_conv_image_count(const mfm_conv_shape *s)
{
    return s->n * s->h * s->w * s->c;
}

int64_t mfm_conv_result_count(const mfm_conv_shape *s)
{
    return s->n * s->oh * s->ow * s->o;
}

int64_t mfm_conv_weight_count(const mfm_conv_shape *s)
{
    return s->o * s->kh * s->kw * (s->c / s->groups);
}

size_t mfm_conv_aligned(size_t count)
{
    enum { ALIGN = 64 / sizeof(real) };
    return (count + ALIGN - 1) / ALIGN * ALIGN;
}

int mfm_conv_shape_make(mfm_ctx *ctx, const mfm_conv_shape *shape, unsigned directions,
                        void **state)
{
    (void)directions;
    mfm_conv_shape *copy = *state = mfm_alloc(ctx, 1, sizeof *copy);
    if (!copy)
        return MFM_ENOMEM;
    *copy = *shape;
    return MFM_OK;
}

void mfm_conv_shape_release(mfm_ctx *ctx, void *state)
{
    mfm_free(ctx, state);
}
