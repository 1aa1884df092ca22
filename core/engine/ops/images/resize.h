/*
 * Resize and Upsample, opsets 7 to 19: along each axis that changes its length, every number of the
 * result is a sum of a few numbers of the input with weights that only its place decides. So they
 * are linear, and a table of weights an axis carries out all passes (resize_rule.c).
 */
#ifndef MFM_RESIZE_H
#define MFM_RESIZE_H

#include "core/engine/rules.h"

enum mfm_resize_mode { MFM_RESIZE_NEAREST, MFM_RESIZE_LINEAR, MFM_RESIZE_CUBIC };

/* Where a place of the result lies in the input. */
enum mfm_resize_place {
    MFM_RESIZE_HALF_PIXEL,
    MFM_RESIZE_HALF_PIXEL_SYMMETRIC,
    MFM_RESIZE_PYTORCH_HALF_PIXEL,
    MFM_RESIZE_ALIGN_CORNERS,
    MFM_RESIZE_ASYMMETRIC,
    MFM_RESIZE_CROP,
    MFM_RESIZE_TF_HALF_PIXEL_FOR_NN
};

/* Which neighbour is the nearest. SIMPLE is that of opset 10 and before, which name none: the left
 * one where the axis grows, the right one where it shrinks. */
enum mfm_resize_nearest {
    MFM_RESIZE_ROUND_PREFER_FLOOR,
    MFM_RESIZE_ROUND_PREFER_CEIL,
    MFM_RESIZE_FLOOR,
    MFM_RESIZE_CEIL,
    MFM_RESIZE_SIMPLE
};

enum mfm_resize_policy { MFM_RESIZE_STRETCH, MFM_RESIZE_NOT_LARGER, MFM_RESIZE_NOT_SMALLER };

/* Lists have a number for each of `axes`, of all axes when these are not given; roi has the starts,
 * then the ends. A size of 0 is the input's. */
typedef struct mfm_resize_attr {
    int mode, place, nearest, policy;
    mfm_floats scales, roi;
    mfm_ints sizes, axes;
    int64_t exclude_outside, antialias;
    double cubic_coeff_a, extrapolation_value;
} mfm_resize_attr;

/* One axis: result m is the sum over k < taps of weight[m taps + k] x[source[m taps + k]]; outside
 * the region of interest, where outside[m], it is the extrapolation value. */
typedef struct mfm_resize_axis {
    int axis;
    int64_t from, to;
    int taps;
    int32_t *source;
    real *weight;
    bool *outside;
} mfm_resize_axis;

int mfm_resize_infer(mfm_ctx *ctx, mfm_node *node);
int mfm_resize_setup(mfm_ctx *ctx, mfm_node *node);
void mfm_resize_release(mfm_ctx *ctx, mfm_node *node);
extern const mfm_linear mfm_linear_resize;

/* resize_weights.c: fills a table, the arrays of which are there. scale is that of the axis, on
 * which the number of taps depends with antialias. */
int mfm_resize_taps(const mfm_resize_attr *attr, float scale);
void mfm_resize_weights(const mfm_resize_attr *attr, float scale, float begin, float end,
                        mfm_resize_axis *table);

#endif
