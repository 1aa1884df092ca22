/* What both implementations of kernels/conv.h ask of a shape. */
#ifndef MFM_CONV_SHAPE_H
#define MFM_CONV_SHAPE_H

#include "core/engine/kernels/conv/conv.h"

/* Fails with MFM_EDATA on sizes below 1, groups that do not divide the channels or result sizes
 * that do not follow from the input's, and with MFM_ENOTSUP on extents beyond the kernels' 32-bit
 * sizes. */
int mfm_conv_check(mfm_ctx *ctx, const mfm_conv_shape *shape);

/* Samples of all ranks together: what a choice by the size of a batch goes by, so that all make the
 * same. */
int64_t mfm_conv_samples(const mfm_conv_shape *shape);

/* So few, without groups, that direct convolution (conv_direct.c) is ahead for any image. */
bool mfm_conv_few_channels(const mfm_conv_shape *shape);

/* Reals of the images, the results and the weights. */
int64_t mfm_conv_image_count(const mfm_conv_shape *shape);
int64_t mfm_conv_result_count(const mfm_conv_shape *shape);
int64_t mfm_conv_weight_count(const mfm_conv_shape *shape);

/* Reals of a part of scratch after which the next one is 64-byte aligned again. */
size_t mfm_conv_aligned(size_t count);

/* The make and release of implementations (conv_impl.h) whose state is a copy of the shape. */
int mfm_conv_shape_make(mfm_ctx *ctx, const mfm_conv_shape *shape, unsigned directions,
                        void **state);
void mfm_conv_shape_release(mfm_ctx *ctx, void *state);

#endif
