/*
 * Sliding windows over two-dimensional images, as Conv, MaxPool and AveragePool have them: ONNX's
 * kernel_shape, strides, dilations, pads, auto_pad and ceil_mode resolved to numbers.
 */
#ifndef MFM_WINDOW_H
#define MFM_WINDOW_H

#include "core/engine/impl.h"

enum mfm_auto_pad { MFM_PAD_NOTSET, MFM_PAD_SAME_UPPER, MFM_PAD_SAME_LOWER, MFM_PAD_VALID };

/* The first member of the attribute structs of those operators. */
typedef struct mfm_window_attr {
    int auto_pad;
    mfm_ints kernel_shape, strides, dilations, pads; /* pads: top, left, bottom, right */
    int64_t ceil_mode;
} mfm_window_attr;

/* Rows of the attribute table; Conv has no ceil_mode. */
#define MFM_WINDOW_ATTRS                                                                           \
    {.name = "auto_pad",                                                                           \
     .type = MFM_CHOICE,                                                                           \
     .offset = offsetof(mfm_window_attr, auto_pad),                                                \
     .choices = "NOTSET|SAME_UPPER|SAME_LOWER|VALID"},                                             \
        {.name = "strides", .type = MFM_INTS, .offset = offsetof(mfm_window_attr, strides)},       \
        {.name = "dilations", .type = MFM_INTS, .offset = offsetof(mfm_window_attr, dilations)},   \
    {                                                                                              \
        .name = "pads", .type = MFM_INTS, .offset = offsetof(mfm_window_attr, pads)                \
    }

/* Rows, then columns. */
typedef struct mfm_window {
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], pad_begin[2], pad_end[2];
} mfm_window;

/* Windows over input 0, which must be an image batch [n, c, h, w]. `kernel` is the size when it is
 * known otherwise (convolution weights), NULL when kernel_shape must give it. */
int mfm_window_infer(mfm_ctx *ctx, const mfm_node *node, const int64_t kernel[2],
                     mfm_window *window);
/* Pooling: sets the output's shape. Moreover, every window must meet the image. */
int mfm_window_infer_pool(mfm_ctx *ctx, mfm_node *node);
/* Makes the window of a pooling the node's kernel. */
int mfm_window_setup(mfm_ctx *ctx, mfm_node *node);
void mfm_window_release(mfm_ctx *ctx, mfm_node *node);

/* Input coordinate of tap 0 of the window at `place`; negative in the padding. */
static inline int64_t mfm_window_start(const mfm_window *w, int axis, int64_t place)
{
    return place * w->stride[axis] - w->pad_begin[axis];
}

/* The taps of the window at `place` with coordinates in [low, high): first to end - 1. */
typedef struct mfm_taps {
    int64_t first, end;
} mfm_taps;
mfm_taps mfm_window_taps(const mfm_window *window, int axis, int64_t place, int64_t low,
                         int64_t high);
/* Those inside the image. */
mfm_taps mfm_window_inside(const mfm_window *window, int axis, int64_t place);

#endif
