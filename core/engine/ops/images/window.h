/*
 * Sliding windows over images, lines and volumes, as Conv, ConvTranspose and the poolings have
 * them: ONNX's kernel_shape, strides, dilations, pads, auto_pad and ceil_mode resolved to numbers.
 */
#ifndef MFM_WINDOW_H
#define MFM_WINDOW_H

#include "core/engine/impl.h"

enum { MFM_WINDOW_PARALLEL_FROM = 16384 };

enum mfm_auto_pad { MFM_PAD_NOTSET, MFM_PAD_SAME_UPPER, MFM_PAD_SAME_LOWER, MFM_PAD_VALID };

/* The first member of the attribute structs of those operators. */
typedef struct mfm_window_attr {
    int auto_pad;
    mfm_ints kernel_shape, strides, dilations, pads; /* pads: all begins, all ends */
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

/* Depth, rows, columns. Those that the input does not have are of length 1, under a window of 1. */
enum { MFM_DEPTH, MFM_ROWS, MFM_COLUMNS, MFM_WINDOW_AXES };
typedef struct mfm_window {
    int64_t in[MFM_WINDOW_AXES], out[MFM_WINDOW_AXES], kernel[MFM_WINDOW_AXES];
    int64_t stride[MFM_WINDOW_AXES], dilation[MFM_WINDOW_AXES];
    int64_t pad_begin[MFM_WINDOW_AXES], pad_end[MFM_WINDOW_AXES];
    int first; /* axis that the input's axis 2 is */
} mfm_window;

/* Windows over input 0, which must be [n, c, w], [n, c, h, w] or [n, c, d, h, w]. `kernel` is the
 * size along each of its axes when it is known otherwise (convolution weights), NULL when
 * kernel_shape must give it. */
int mfm_window_infer(mfm_ctx *ctx, const mfm_node *node, const int64_t *kernel, mfm_window *window);
/* The same without auto_pad and the results: out is 1, pads are those given. */
int mfm_window_resolve(mfm_ctx *ctx, const mfm_node *node, const int64_t *kernel,
                       mfm_window *window);
/* [n, channels, ...] with the lengths of the result. */
mfm_shape mfm_window_result(const mfm_window *window, int64_t n, int64_t channels);
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

/* Input and result as images [in, channels] and [out, channels] in memory: whole images of all
 * channels in rank 4, else each channel by itself. */
typedef struct mfm_window_images {
    int64_t images, channels, in, out; /* in, out: places of one image */
    bool parallel;
} mfm_window_images;
mfm_window_images mfm_window_images_of(const mfm_window *window, const mfm_shape *in);

/* One window: its taps inside, and the input coordinates of tap 0, which may lie outside. */
typedef struct mfm_place {
    int64_t start[MFM_WINDOW_AXES];
    mfm_taps taps[MFM_WINDOW_AXES];
} mfm_place;
/* That of a result, by its number within the image. */
mfm_place mfm_window_place(const mfm_window *window, int64_t result);
/* Where a tap lies within the image, in places. */
static inline int64_t mfm_window_source(const mfm_window *w, const mfm_place *p, int64_t d,
                                        int64_t i, int64_t j)
{
    const int64_t depth = p->start[MFM_DEPTH] + d * w->dilation[MFM_DEPTH];
    const int64_t row = p->start[MFM_ROWS] + i * w->dilation[MFM_ROWS];
    const int64_t column = p->start[MFM_COLUMNS] + j * w->dilation[MFM_COLUMNS];
    return (depth * w->in[MFM_ROWS] + row) * w->in[MFM_COLUMNS] + column;
}

#endif
