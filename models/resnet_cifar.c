/*
 * ResNets for small images (He et al., "Deep residual learning for image recognition", CVPR 2016,
 * section 4.2): a 3x3 convolution to 16 channels, three stages of (depth - 2) / 6 basic blocks with
 * 16, 32 and 64 channels, global average pooling and one linear layer. Shortcuts are option A, free
 * of parameters: every second row and column, and zeros for the new channels on both sides.
 *
 * Convolutions and the linear layer start with He's fan_in rule, as in the ResNet-32 that the
 * long-tailed literature shares.
 */
#include "models/family.h"

static mfm_value shortcut(mfm_builder *b, mfm_value x, int64_t planes, int64_t stride)
{
    const int64_t missing = planes - mfm_builder_shape(b, x).dim[1];
    if (stride == 1 && missing == 0)
        return x;
    x = mfm_build_subsample(b, "shortcut.slice", x, stride);
    return mfm_build_pad_channels(b, "shortcut.pad", x, missing / 2, missing - missing / 2);
}

static mfm_value block(mfm_builder *b, mfm_value x, int64_t planes, int64_t stride)
{
    mfm_value y = mfm_build_conv(b, "conv1", x, planes, mfm_square(3, stride, 1), 1, false);
    y = mfm_build_relu(b, "relu1", mfm_build_batch_norm(b, "bn1", y));
    y = mfm_build_conv(b, "conv2", y, planes, mfm_square(3, 1, 1), 1, false);
    y = mfm_build_batch_norm(b, "bn2", y);
    y = mfm_build_add(b, "add", y, shortcut(b, x, planes, stride));
    return mfm_build_relu(b, "relu2", y);
}

static mfm_value build(mfm_builder *b, mfm_value x, const void *layout,
                       const mfm_model_options *options)
{
    const int blocks = (*(const int *)layout - 2) / 6;
    x = mfm_build_conv(b, "conv1", x, 16, mfm_square(3, 1, 1), 1, false);
    x = mfm_build_relu(b, "relu", mfm_build_batch_norm(b, "bn1", x));
    for (int stage = 0; stage < 3; stage++)
        for (int i = 0; i < blocks; i++) {
            mfm_builder_scope(b, "layer%d.%d", stage + 1, i);
            x = block(b, x, 16 << stage, stage > 0 && i == 0 ? 2 : 1);
        }
    mfm_builder_end_scope(b);
    x = mfm_build_flatten(b, "flatten", mfm_build_global_average_pool(b, "avgpool", x));
    return mfm_build_linear(b, "fc", x, options->classes);
}

static const mfm_architecture members[] = {
    {"resnet20", "ResNet-20 for CIFAR, 0.27 M parameters (32x32)", &(const int){20}},
    {"resnet32", "ResNet-32 for CIFAR, 0.46 M parameters (32x32)", &(const int){32}},
    {"resnet44", "ResNet-44 for CIFAR, 0.66 M parameters (32x32)", &(const int){44}},
    {"resnet56", "ResNet-56 for CIFAR, 0.85 M parameters (32x32)", &(const int){56}},
    {"resnet110", "ResNet-110 for CIFAR, 1.7 M parameters (32x32)", &(const int){110}},
};

const mfm_family mfm_family_resnet_cifar = {
    members, sizeof members / sizeof members[0], {10, 3, 32, 32, 0}, build};
