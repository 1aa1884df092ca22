/* InstanceNormalization and GroupNormalization: normalisation within one image, over groups of its
 * channels. Their rule (image_norm_rule.c) has the four passes. */
#ifndef MFM_IMAGE_NORM_H
#define MFM_IMAGE_NORM_H

#include "core/engine/impl.h"

enum { MFM_IMAGE_NORM_INPUT, MFM_IMAGE_NORM_SCALE, MFM_IMAGE_NORM_BIAS };

/* An instance is a group of one channel: num_groups 0. */
typedef struct mfm_image_norm_attr {
    double epsilon;
    int64_t num_groups, stash_type;
} mfm_image_norm_attr;

/* x [n, c, ...]; scale and bias have one number a channel, or, in GroupNormalization before opset
 * 21, one a group. */
int mfm_image_norm_infer(mfm_ctx *ctx, mfm_node *node);
int mfm_image_norm_setup(mfm_ctx *ctx, mfm_node *node);
extern const mfm_rule mfm_rule_image_norm;

#endif
