/*
 * VGG networks A, B, D and E (Simonyan and Zisserman, "Very deep convolutional networks for
 * large-scale image recognition", ICLR 2015) in torchvision's form, without and with batch
 * normalisation. Five max-pools halve the image, so it needs 32x32 pixels at least.
 *
 * The head. Where 7x7 or more is left, an average pool of stride floor(size / 7) brings it to 7x7
 * (nothing to do at 224x224; what torchvision's adaptive pooling computes wherever size is 8 or a
 * multiple of 7), and linear layers of 4096, 4096 and the classes follow. Smaller maps, such as the
 * single pixel left of 32x32, are averaged globally and the hidden layers have 512 units, the usual
 * head for CIFAR. Dropout of one half follows each hidden layer.
 *
 * Convolutions start with He's fan_out rule and the large head with standard deviation 0.01, as
 * torchvision's do. On 512 inputs 0.01 would all but silence the small head: it starts with He's
 * fan_in rule.
 */
#include <stdio.h>

#include "models/family.h"

enum { POOL = 0, END = -1, GRID = 7 };

typedef struct vgg_layout {
    const int *plan; /* output channels of each convolution, POOL between the stages */
    bool batch_norm;
} vgg_layout;

static mfm_value features(mfm_builder *b, mfm_value x, const vgg_layout *net)
{
    int index = 0;
    char name[16];
    for (const int *step = net->plan; *step != END; step++) {
        snprintf(name, sizeof name, "%d", index++);
        if (*step == POOL) {
            x = mfm_build_max_pool(b, name, x, mfm_square(2, 2, 0));
            continue;
        }
        x = mfm_build_conv(b, name, x, *step, mfm_square(3, 1, 1), 1, true);
        if (net->batch_norm) {
            snprintf(name, sizeof name, "%d", index++);
            x = mfm_build_batch_norm(b, name, x);
        }
        snprintf(name, sizeof name, "%d", index++);
        x = mfm_build_relu(b, name, x);
    }
    return x;
}

static mfm_value pool_to_grid(mfm_builder *b, mfm_value x, int64_t height, int64_t width)
{
    const int64_t down = height / GRID, across = width / GRID;
    if (height == GRID && width == GRID)
        return x;
    const mfm_window window = {
        .kernel = {height - (GRID - 1) * down, width - (GRID - 1) * across},
        .stride = {down, across},
    };
    return mfm_build_average_pool(b, "avgpool", x, window);
}

static mfm_value classifier(mfm_builder *b, mfm_value x, int64_t hidden, int64_t classes)
{
    mfm_builder_scope(b, "classifier");
    x = mfm_build_relu(b, "1", mfm_build_linear(b, "0", x, hidden));
    x = mfm_build_dropout(b, "2", x, 0.5f);
    x = mfm_build_relu(b, "4", mfm_build_linear(b, "3", x, hidden));
    x = mfm_build_dropout(b, "5", x, 0.5f);
    return mfm_build_linear(b, "6", x, classes);
}

static mfm_value build(mfm_builder *b, mfm_value x, const void *layout,
                       const mfm_model_options *options)
{
    mfm_builder_init(b, MFM_INIT_HE_FAN_OUT, MFM_INIT_NORMAL_001);
    mfm_builder_scope(b, "features");
    x = features(b, x, layout);
    mfm_builder_end_scope(b);
    const mfm_shape map = mfm_builder_shape(b, x);
    const bool large = map.dim[2] >= GRID && map.dim[3] >= GRID;
    if (large) {
        x = pool_to_grid(b, x, map.dim[2], map.dim[3]);
    } else {
        mfm_builder_init(b, MFM_INIT_HE_FAN_OUT, MFM_INIT_HE_FAN_IN);
        x = mfm_build_global_average_pool(b, "avgpool", x);
    }
    return classifier(b, mfm_build_flatten(b, "flatten", x), large ? 4096 : 512, options->classes);
}

static const int depth11[] = {64,  POOL, 128,  POOL, 256, 256,  POOL,
                              512, 512,  POOL, 512,  512, POOL, END};
static const int depth13[] = {64,   64,  POOL, 128,  128, POOL, 256,  256,
                              POOL, 512, 512,  POOL, 512, 512,  POOL, END};
static const int depth16[] = {64,  64,  POOL, 128,  128, POOL, 256, 256,  256, POOL,
                              512, 512, 512,  POOL, 512, 512,  512, POOL, END};
static const int depth19[] = {64,  64,  POOL, 128, 128,  POOL, 256, 256, 256, 256,  POOL,
                              512, 512, 512,  512, POOL, 512,  512, 512, 512, POOL, END};

static const vgg_layout plain11 = {depth11, false}, normalised11 = {depth11, true};
static const vgg_layout plain13 = {depth13, false}, normalised13 = {depth13, true};
static const vgg_layout plain16 = {depth16, false}, normalised16 = {depth16, true};
static const vgg_layout plain19 = {depth19, false}, normalised19 = {depth19, true};

static const mfm_architecture members[] = {
    {"vgg11", "VGG-11, 133 M parameters (224x224; a small head below)", &plain11},
    {"vgg13", "VGG-13, 133 M parameters (224x224; a small head below)", &plain13},
    {"vgg16", "VGG-16, 138 M parameters (224x224; a small head below)", &plain16},
    {"vgg19", "VGG-19, 144 M parameters (224x224; a small head below)", &plain19},
    {"vgg11-bn", "VGG-11 with batch normalisation", &normalised11},
    {"vgg13-bn", "VGG-13 with batch normalisation", &normalised13},
    {"vgg16-bn", "VGG-16 with batch normalisation", &normalised16},
    {"vgg19-bn", "VGG-19 with batch normalisation", &normalised19},
};

const mfm_family mfm_family_vgg = {
    members, sizeof members / sizeof members[0], {1000, 3, 224, 224, 0}, build};
