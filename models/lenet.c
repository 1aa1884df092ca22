/*
 * The modified LeNet of the Meta Feature Modulator paper (appendix C.3): the last convolution has a
 * kernel of 3 and global average pooling after it. Widths are LeNet-5's: 6, 16, 120, 84. On 28x28
 * images the maps are 28, 14, 10, 5 and 3 wide; the smallest image is 20x20.
 */
#include "models/family.h"

static mfm_value build(mfm_builder *b, mfm_value x, const void *layout,
                       const mfm_model_options *options)
{
    (void)layout;
    x = mfm_build_relu(b, "relu1", mfm_build_conv(b, "conv1", x, 6, mfm_square(5, 1, 2), 1, true));
    x = mfm_build_max_pool(b, "pool1", x, mfm_square(2, 2, 0));
    x = mfm_build_relu(b, "relu2", mfm_build_conv(b, "conv2", x, 16, mfm_square(5, 1, 0), 1, true));
    x = mfm_build_max_pool(b, "pool2", x, mfm_square(2, 2, 0));
    x = mfm_build_relu(b, "relu3",
                       mfm_build_conv(b, "conv3", x, 120, mfm_square(3, 1, 0), 1, true));
    x = mfm_build_flatten(b, "flatten", mfm_build_global_average_pool(b, "avgpool", x));
    x = mfm_build_relu(b, "relu4", mfm_build_linear(b, "fc1", x, 84));
    return mfm_build_linear(b, "fc2", x, options->classes);
}

static const mfm_architecture members[] = {
    {"lenet", "LeNet with global average pooling, for images from 20x20 (28x28 grey)", NULL},
};

const mfm_family mfm_family_lenet = {members, 1, {10, 1, 28, 28, 0}, build};
