#include "onnx/build/builder_parts.h"

#define INT64_DATA ONNX__TENSOR_PROTO__DATA_TYPE__INT64
#define FLOAT_DATA ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT

static void set_int(mfm_builder *b, Onnx__NodeProto *node, const char *name, int64_t value)
{
    if (!b->status)
        mfm_builder_keep(b, mfm_proto_attr_int(b->model, node, name, value));
}

static void set_float(mfm_builder *b, Onnx__NodeProto *node, const char *name, float value)
{
    if (!b->status)
        mfm_builder_keep(b, mfm_proto_attr_float(b->model, node, name, value));
}

static void set_pair(mfm_builder *b, Onnx__NodeProto *node, const char *name,
                     const int64_t values[2])
{
    if (!b->status)
        mfm_builder_keep(b, mfm_proto_attr_ints(b->model, node, name, values, 2));
}

mfm_window mfm_square(int64_t kernel, int64_t stride, int64_t pad)
{
    return (mfm_window){{kernel, kernel}, {stride, stride}, {pad, pad}};
}

/* floor((size + 2 pad - kernel) / stride) + 1 along both axes. */
static bool slide(mfm_builder *b, const char *name, const mfm_built *x, const mfm_window *window,
                  mfm_shape *out)
{
    enum { LIMIT = 1 << 20 }; /* far beyond any image, far below overflow */
    for (int i = 0; i < 2; i++) {
        const int64_t kernel = window->kernel[i], stride = window->stride[i], pad = window->pad[i];
        if (kernel < 1 || stride < 1 || pad < 0 || kernel > LIMIT || stride > LIMIT ||
            pad > LIMIT) {
            mfm_builder_refuse(b, name,
                               "kernel %lld, stride %lld, pad %lld: kernel and "
                               "stride at least 1, pad at least 0, none above %d",
                               (long long)kernel, (long long)stride, (long long)pad, LIMIT);
            return false;
        }
        const int64_t size = x->shape.dim[2 + i];
        if (size + 2 * pad < kernel) {
            mfm_builder_refuse(b, name,
                               "%s is %lldx%lld: too small for a %lldx%lld window padded by "
                               "%lld; the model needs larger images",
                               x->name, (long long)x->shape.dim[2], (long long)x->shape.dim[3],
                               (long long)window->kernel[0], (long long)window->kernel[1],
                               (long long)pad);
            return false;
        }
        out->dim[2 + i] = (size + 2 * pad - kernel) / stride + 1;
    }
    return true;
}

static void set_window(mfm_builder *b, Onnx__NodeProto *node, const mfm_window *window)
{
    const int64_t pads[] = {window->pad[0], window->pad[1], window->pad[0], window->pad[1]};
    set_pair(b, node, "kernel_shape", window->kernel);
    if (!b->status)
        mfm_builder_keep(b, mfm_proto_attr_ints(b->model, node, "pads", pads, 4));
    set_pair(b, node, "strides", window->stride);
}

mfm_value mfm_build_conv(mfm_builder *b, const char *name, mfm_value x, int64_t out_channels,
                         mfm_window window, int64_t groups, bool bias)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 4);
    if (!in)
        return MFM_NO_VALUE;
    const int64_t channels = in->shape.dim[1];
    if (out_channels < 1 || groups < 1 || channels % groups || out_channels % groups) {
        mfm_builder_refuse(b, name,
                           "%lld channels from %lld in %lld groups: the groups must "
                           "divide both",
                           (long long)out_channels, (long long)channels, (long long)groups);
        return MFM_NO_VALUE;
    }
    mfm_shape out = {.rank = 4, .dim = {-1, out_channels}};
    if (!slide(b, name, in, &window, &out))
        return MFM_NO_VALUE;
    const mfm_shape weight = {
        .rank = 4, .dim = {out_channels, channels / groups, window.kernel[0], window.kernel[1]}};
    const char *inputs[3] = {in->name};
    inputs[1] = mfm_builder_parameter(b, name, "weight", weight, b->convolution);
    if (bias)
        inputs[2] = mfm_builder_parameter(
            b, name, "bias", (mfm_shape){.rank = 1, .dim = {out_channels}}, MFM_INIT_ZERO);
    Onnx__NodeProto *node;
    const mfm_value y = mfm_builder_node(b, "Conv", name, inputs, bias ? 3 : 2, out, &node);
    set_pair(b, node, "dilations", (int64_t[]){1, 1});
    set_int(b, node, "group", groups);
    set_window(b, node, &window);
    return y;
}

mfm_value mfm_build_batch_norm(mfm_builder *b, const char *name, mfm_value x)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 4);
    if (!in)
        return MFM_NO_VALUE;
    const mfm_shape out = in->shape, each = {.rank = 1, .dim = {out.dim[1]}};
    const char *const inputs[] = {
        in->name,
        mfm_builder_parameter(b, name, "weight", each, MFM_INIT_ONE),
        mfm_builder_parameter(b, name, "bias", each, MFM_INIT_ZERO),
        mfm_builder_parameter(b, name, "running_mean", each, MFM_INIT_ZERO),
        mfm_builder_parameter(b, name, "running_var", each, MFM_INIT_ONE),
    };
    Onnx__NodeProto *node;
    const mfm_value y = mfm_builder_node(b, "BatchNormalization", name, inputs, 5, out, &node);
    set_float(b, node, "epsilon", 1e-5f);
    set_float(b, node, "momentum", 0.9f);
    return y;
}

mfm_value mfm_build_linear(mfm_builder *b, const char *name, mfm_value x, int64_t out_features)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 2);
    if (!in)
        return MFM_NO_VALUE;
    if (out_features < 1) {
        mfm_builder_refuse(b, name, "%lld features: at least 1", (long long)out_features);
        return MFM_NO_VALUE;
    }
    const mfm_shape weight = {.rank = 2, .dim = {out_features, in->shape.dim[1]}};
    const char *const inputs[] = {
        in->name,
        mfm_builder_parameter(b, name, "weight", weight, b->linear),
        mfm_builder_parameter(b, name, "bias", (mfm_shape){.rank = 1, .dim = {out_features}},
                              MFM_INIT_ZERO),
    };
    Onnx__NodeProto *node;
    const mfm_shape out = {.rank = 2, .dim = {-1, out_features}};
    const mfm_value y = mfm_builder_node(b, "Gemm", name, inputs, 3, out, &node);
    set_int(b, node, "transB", 1);
    return y;
}

mfm_value mfm_build_relu(mfm_builder *b, const char *name, mfm_value x)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 0);
    if (!in)
        return MFM_NO_VALUE;
    return mfm_builder_node(b, "Relu", name, (const char *const[]){in->name}, 1, in->shape, NULL);
}

mfm_value mfm_build_add(mfm_builder *b, const char *name, mfm_value x, mfm_value y)
{
    const mfm_built *left = mfm_builder_operand(b, name, x, 0);
    const mfm_built *right = mfm_builder_operand(b, name, y, 0);
    if (!left || !right)
        return MFM_NO_VALUE;
    if (!mfm_shape_equal(&left->shape, &right->shape)) {
        char one[MFM_SHAPE_TEXT], other[MFM_SHAPE_TEXT];
        mfm_builder_refuse(b, name, "%s and %s: the shapes must be equal",
                           mfm_shape_text(&left->shape, one), mfm_shape_text(&right->shape, other));
        return MFM_NO_VALUE;
    }
    return mfm_builder_node(b, "Add", name, (const char *const[]){left->name, right->name}, 2,
                            left->shape, NULL);
}

mfm_value mfm_build_dropout(mfm_builder *b, const char *name, mfm_value x, float ratio)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 0);
    if (!in)
        return MFM_NO_VALUE;
    if (!(ratio >= 0 && ratio < 1)) {
        mfm_builder_refuse(b, name, "ratio %g: at least 0 and below 1", (double)ratio);
        return MFM_NO_VALUE;
    }
    const char *const inputs[] = {in->name,
                                  mfm_builder_constant(b, name, "ratio", FLOAT_DATA, 0, &ratio)};
    return mfm_builder_node(b, "Dropout", name, inputs, 2, in->shape, NULL);
}

mfm_value mfm_build_flatten(mfm_builder *b, const char *name, mfm_value x)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 0);
    if (!in)
        return MFM_NO_VALUE;
    mfm_shape out = {.rank = 2, .dim = {-1, 1}};
    for (int i = 1; i < in->shape.rank; i++)
        if (__builtin_mul_overflow(out.dim[1], in->shape.dim[i], &out.dim[1])) {
            mfm_builder_refuse(b, name, "%s: too many features to count", in->name);
            return MFM_NO_VALUE;
        }
    Onnx__NodeProto *node;
    const mfm_value y =
        mfm_builder_node(b, "Flatten", name, (const char *const[]){in->name}, 1, out, &node);
    set_int(b, node, "axis", 1);
    return y;
}

static mfm_value build_pool(mfm_builder *b, const char *op_type, const char *name, mfm_value x,
                            const mfm_window *window)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 4);
    if (!in)
        return MFM_NO_VALUE;
    mfm_shape out = in->shape;
    if (!slide(b, name, in, window, &out))
        return MFM_NO_VALUE;
    if (window->pad[0] >= window->kernel[0] || window->pad[1] >= window->kernel[1]) {
        mfm_builder_refuse(b, name, "pad %lld,%lld: narrower than the kernel %lld,%lld",
                           (long long)window->pad[0], (long long)window->pad[1],
                           (long long)window->kernel[0], (long long)window->kernel[1]);
        return MFM_NO_VALUE;
    }
    Onnx__NodeProto *node;
    const mfm_value y =
        mfm_builder_node(b, op_type, name, (const char *const[]){in->name}, 1, out, &node);
    set_window(b, node, window);
    return y;
}

mfm_value mfm_build_max_pool(mfm_builder *b, const char *name, mfm_value x, mfm_window window)
{
    return build_pool(b, "MaxPool", name, x, &window);
}

mfm_value mfm_build_average_pool(mfm_builder *b, const char *name, mfm_value x, mfm_window window)
{
    return build_pool(b, "AveragePool", name, x, &window);
}

mfm_value mfm_build_global_average_pool(mfm_builder *b, const char *name, mfm_value x)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 4);
    if (!in)
        return MFM_NO_VALUE;
    const mfm_shape out = {.rank = 4, .dim = {-1, in->shape.dim[1], 1, 1}};
    return mfm_builder_node(b, "GlobalAveragePool", name, (const char *const[]){in->name}, 1, out,
                            NULL);
}

mfm_value mfm_build_subsample(mfm_builder *b, const char *name, mfm_value x, int64_t step)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 4);
    if (!in)
        return MFM_NO_VALUE;
    if (step < 1) {
        mfm_builder_refuse(b, name, "step %lld: at least 1", (long long)step);
        return MFM_NO_VALUE;
    }
    mfm_shape out = in->shape;
    for (int i = 2; i < 4; i++)
        out.dim[i] = 1 + (in->shape.dim[i] - 1) / step;
    const int64_t starts[] = {0, 0}, axes[] = {2, 3}, steps[] = {step, step};
    const char *const inputs[] = {
        in->name,
        mfm_builder_constant(b, name, "starts", INT64_DATA, 2, starts),
        mfm_builder_constant(b, name, "ends", INT64_DATA, 2, &in->shape.dim[2]),
        mfm_builder_constant(b, name, "axes", INT64_DATA, 2, axes),
        mfm_builder_constant(b, name, "steps", INT64_DATA, 2, steps),
    };
    return mfm_builder_node(b, "Slice", name, inputs, 5, out, NULL);
}

mfm_value mfm_build_pad_channels(mfm_builder *b, const char *name, mfm_value x, int64_t before,
                                 int64_t after)
{
    const mfm_built *in = mfm_builder_operand(b, name, x, 4);
    if (!in)
        return MFM_NO_VALUE;
    mfm_shape out = in->shape;
    if (before < 0 || after < 0 || __builtin_add_overflow(out.dim[1], before, &out.dim[1]) ||
        __builtin_add_overflow(out.dim[1], after, &out.dim[1])) {
        mfm_builder_refuse(b, name, "%lld and %lld channels: at least 0 each", (long long)before,
                           (long long)after);
        return MFM_NO_VALUE;
    }
    const int64_t pads[] = {0, before, 0, 0, 0, after, 0, 0};
    const char *const inputs[] = {in->name,
                                  mfm_builder_constant(b, name, "pads", INT64_DATA, 8, pads)};
    return mfm_builder_node(b, "Pad", name, inputs, 2, out, NULL);
}
