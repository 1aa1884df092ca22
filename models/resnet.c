/*
 * ResNets for photographs (He et al., CVPR 2016, table 1) in torchvision's form: option B shortcuts
 * (a 1x1 convolution and a normalisation where the shape changes), and in bottleneck blocks the
 * stride in the 3x3 convolution.
 *
 * The stem is a 7x7 convolution of stride 2 and a max-pool; images below 64 pixels in height or
 * width, which it would leave with next to nothing, get a 3x3 convolution of stride 1 and no pool.
 *
 * Convolutions start with He's fan_out rule, as torchvision's do; the linear layer uniformly within
 * 1 / sqrt(fan_in), which is PyTorch's default there.
 */
#include "models/family.h"

typedef struct resnet_layout {
    int blocks[4];
    bool bottleneck;
} resnet_layout;

static mfm_value conv_bn(mfm_builder *b, const char *conv, const char *bn, mfm_value x,
                         int64_t planes, mfm_window window)
{
    return mfm_build_batch_norm(b, bn, mfm_build_conv(b, conv, x, planes, window, 1, false));
}

static mfm_value shortcut(mfm_builder *b, mfm_value x, int64_t planes, int64_t stride)
{
    if (stride == 1 && mfm_builder_shape(b, x).dim[1] == planes)
        return x;
    return conv_bn(b, "downsample.0", "downsample.1", x, planes, mfm_square(1, stride, 0));
}

static mfm_value basic(mfm_builder *b, mfm_value x, int64_t planes, int64_t stride)
{
    mfm_value y = conv_bn(b, "conv1", "bn1", x, planes, mfm_square(3, stride, 1));
    y = mfm_build_relu(b, "relu1", y);
    y = conv_bn(b, "conv2", "bn2", y, planes, mfm_square(3, 1, 1));
    y = mfm_build_add(b, "add", y, shortcut(b, x, planes, stride));
    return mfm_build_relu(b, "relu2", y);
}

static mfm_value bottleneck(mfm_builder *b, mfm_value x, int64_t planes, int64_t stride)
{
    enum { EXPANSION = 4 };
    mfm_value y = conv_bn(b, "conv1", "bn1", x, planes, mfm_square(1, 1, 0));
    y = mfm_build_relu(b, "relu1", y);
    y = conv_bn(b, "conv2", "bn2", y, planes, mfm_square(3, stride, 1));
    y = mfm_build_relu(b, "relu2", y);
    y = conv_bn(b, "conv3", "bn3", y, EXPANSION * planes, mfm_square(1, 1, 0));
    y = mfm_build_add(b, "add", y, shortcut(b, x, EXPANSION * planes, stride));
    return mfm_build_relu(b, "relu3", y);
}

static mfm_value stem(mfm_builder *b, mfm_value x, const mfm_model_options *options)
{
    const bool small = options->height < 64 || options->width < 64;
    x = conv_bn(b, "conv1", "bn1", x, 64, small ? mfm_square(3, 1, 1) : mfm_square(7, 2, 3));
    x = mfm_build_relu(b, "relu", x);
    return small ? x : mfm_build_max_pool(b, "maxpool", x, mfm_square(3, 2, 1));
}

static mfm_value build(mfm_builder *b, mfm_value x, const void *layout,
                       const mfm_model_options *options)
{
    const resnet_layout *net = layout;
    mfm_builder_init(b, MFM_INIT_HE_FAN_OUT, MFM_INIT_UNIFORM_FAN_IN);
    x = stem(b, x, options);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < net->blocks[stage]; i++) {
            const int64_t planes = 64 << stage, stride = stage > 0 && i == 0 ? 2 : 1;
            mfm_builder_scope(b, "layer%d.%d", stage + 1, i);
            x = net->bottleneck ? bottleneck(b, x, planes, stride) : basic(b, x, planes, stride);
        }
    mfm_builder_end_scope(b);
    x = mfm_build_flatten(b, "flatten", mfm_build_global_average_pool(b, "avgpool", x));
    return mfm_build_linear(b, "fc", x, options->classes);
}

static const resnet_layout depth18 = {{2, 2, 2, 2}, false};
static const resnet_layout depth34 = {{3, 4, 6, 3}, false};
static const resnet_layout depth50 = {{3, 4, 6, 3}, true};

static const mfm_architecture members[] = {
    {"resnet18", "ResNet-18, 11.7 M parameters (224x224; a 3x3 stem below 64x64)", &depth18},
    {"resnet34", "ResNet-34, 21.8 M parameters (224x224; a 3x3 stem below 64x64)", &depth34},
    {"resnet50", "ResNet-50, 25.6 M parameters (224x224; a 3x3 stem below 64x64)", &depth50},
};

const mfm_family mfm_family_resnet = {
    members, sizeof members / sizeof members[0], {1000, 3, 224, 224, 0}, build};
