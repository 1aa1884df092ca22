/*
 * Builds a classifier as an ONNX model, node by node.
 *
 *     mfm_builder *b;
 *     int status = mfm_builder_new(ctx, "tiny", seed, &b);
 *     if (status)
 *         return status;
 *     mfm_value x = mfm_build_input(b, "input", 3, 32, 32);
 *     x = mfm_build_conv(b, "conv1", x, 16, mfm_square(3, 1, 1), 1, false);
 *     x = mfm_build_relu(b, "relu", mfm_build_batch_norm(b, "bn1", x));
 *     x = mfm_build_flatten(b, "flatten", mfm_build_global_average_pool(b, "avgpool", x));
 *     mfm_build_output(b, "logits", mfm_build_linear(b, "fc", x, 10));
 *     return mfm_builder_finish(b, model);
 *
 * The first failure is kept and every later call does nothing, so only finish has to be asked.
 *
 * The model is IR version 8, opset 17, in inference form, with float32 raw_data initialisers. The
 * batch dimension is the symbol "batch". A node is called scope.name, what it writes
 * scope.name.out, its parameters scope.name.weight and so on, as PyTorch calls them; every name is
 * unique.
 *
 * Weights are drawn from MFM_STREAM_INIT, keyed by the seed and the number of the parameter in the
 * order of building; biases are 0, batch normalisations start as weight 1, bias 0, mean 0, var 1.
 */
#ifndef MFM_ONNX_BUILDER_H
#define MFM_ONNX_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/shape.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

typedef struct mfm_builder mfm_builder;

/* The number of a value within its builder; MFM_NO_VALUE after a failure. */
typedef int mfm_value;
enum { MFM_NO_VALUE = -1 };

/* How weights start. fan_in and fan_out are the second and the first dimension of the weight, each
 * times the kernel's area. The two He rules are from He et al., "Delving deep into rectifiers",
 * ICCV 2015: one keeps the variance of the activations, the other that of the gradients. */
enum mfm_init {
    MFM_INIT_HE_FAN_IN,      /* normal, variance 2 / fan_in */
    MFM_INIT_HE_FAN_OUT,     /* normal, variance 2 / fan_out */
    MFM_INIT_NORMAL_001,     /* normal, standard deviation 0.01 */
    MFM_INIT_UNIFORM_FAN_IN, /* uniform within +- 1 / sqrt(fan_in) */
    MFM_INIT_ZERO,
    MFM_INIT_ONE
};

/* A sliding window, [height, width]; pad is added on both sides. */
typedef struct mfm_window {
    int64_t kernel[2], stride[2], pad[2];
} mfm_window;
mfm_window mfm_square(int64_t kernel, int64_t stride, int64_t pad);

/* An empty graph. Given back by mfm_builder_finish only. */
int mfm_builder_new(mfm_ctx *ctx, const char *graph_name, uint64_t seed, mfm_builder **builder);
/* Frees the builder. MFM_OK: *model is the caller's. Otherwise *model is NULL and the first failure
 * is returned: MFM_EINVAL for a layer that cannot be, or a graph without input or output,
 * MFM_ENOTSUP for more weights than one file holds, MFM_ENOMEM. */
int mfm_builder_finish(mfm_builder *b, mfm_model **model);

/* What the following names begin with, as in "layer%d.%d". One scope at a time. */
void mfm_builder_scope(mfm_builder *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mfm_builder_end_scope(mfm_builder *b);
/* How the weights of the following convolutions and linear layers start: fan_in at first. */
void mfm_builder_init(mfm_builder *b, enum mfm_init convolution, enum mfm_init linear);
/* The shape of x, dimension 0 being -1 for the batch; rank 0 after a failure. */
mfm_shape mfm_builder_shape(const mfm_builder *b, mfm_value x);
/* Records the failure of a rule that the builder's user checks. */
void mfm_builder_fail(mfm_builder *b, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Values of rank 4 are [batch, channels, height, width], of rank 2 [batch, features]. The names of
 * the input and the output are taken as they are, without the scope. */
mfm_value mfm_build_input(mfm_builder *b, const char *name, int64_t channels, int64_t height,
                          int64_t width);
/* Calls x by this name and makes it an output of the graph. */
void mfm_build_output(mfm_builder *b, const char *name, mfm_value x);

/* weight [out, in / groups, kernel height, kernel width], and bias [out] when asked for. */
mfm_value mfm_build_conv(mfm_builder *b, const char *name, mfm_value x, int64_t out_channels,
                         mfm_window window, int64_t groups, bool bias);
/* weight, bias, running_mean, running_var, each [channels]; epsilon 1e-5, and momentum 0.9, which
 * in ONNX is the share of the old statistics that is kept. */
mfm_value mfm_build_batch_norm(mfm_builder *b, const char *name, mfm_value x);
/* x [batch, features] times weight [out, features] transposed, plus bias [out]: a Gemm. */
mfm_value mfm_build_linear(mfm_builder *b, const char *name, mfm_value x, int64_t out_features);
mfm_value mfm_build_relu(mfm_builder *b, const char *name, mfm_value x);
/* Of two values of one shape. */
mfm_value mfm_build_add(mfm_builder *b, const char *name, mfm_value x, mfm_value y);
/* A Dropout with its ratio in [0, 1): the identity until something trains it. */
mfm_value mfm_build_dropout(mfm_builder *b, const char *name, mfm_value x, float ratio);
mfm_value mfm_build_flatten(mfm_builder *b, const char *name, mfm_value x);

/* The padding is narrower than the kernel, and does not count in averages. */
mfm_value mfm_build_max_pool(mfm_builder *b, const char *name, mfm_value x, mfm_window window);
mfm_value mfm_build_average_pool(mfm_builder *b, const char *name, mfm_value x, mfm_window window);
/* [batch, channels, 1, 1] */
mfm_value mfm_build_global_average_pool(mfm_builder *b, const char *name, mfm_value x);

/* Every step-th row and column, from the first: a Slice. Height and width become ceil(size / step),
 * as those of a 3x3 convolution padded by 1 with that stride do. */
mfm_value mfm_build_subsample(mfm_builder *b, const char *name, mfm_value x, int64_t step);
/* That many channels of zeros before the first and after the last: a Pad. */
mfm_value mfm_build_pad_channels(mfm_builder *b, const char *name, mfm_value x, int64_t before,
                                 int64_t after);

MFM_C_END

#endif
