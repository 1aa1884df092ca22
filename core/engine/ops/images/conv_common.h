/* What Conv and ConvTranspose share. */
#ifndef MFM_CONV_COMMON_H
#define MFM_CONV_COMMON_H

#include "core/engine/kernels/conv/conv.h"
#include "core/engine/ops/images/window.h"
#include "core/engine/rules.h"

typedef struct mfm_conv_attr {
    mfm_window_attr window;
    int64_t group;
    mfm_ints output_padding, output_shape; /* ConvTranspose only */
} mfm_conv_attr;

/* Input and weights must have equally many axes, three to five. */
int mfm_conv_check_ranks(mfm_ctx *ctx, const mfm_node *node);
/* The bias, if there is one, must be [channels]. */
int mfm_conv_check_bias(mfm_ctx *ctx, const mfm_node *node, int64_t channels);
/* The convolution from image to result, which are [n, c, ...] with these lengths by axis; x or y of
 * the node each. */
mfm_conv_shape mfm_conv_shape_of(const mfm_node *node, const mfm_window *window,
                                 const mfm_shape *image, const int64_t *image_lengths,
                                 const mfm_shape *result, const int64_t *result_lengths);
/* Checks the result's shape, which is inferred and called `what`, and whether the convolution can
 * be carried out. */
int mfm_conv_check_result(mfm_ctx *ctx, const mfm_node *node, const char *what,
                          const mfm_conv_shape *shape);
/* Sets the node up with a kernel for it; frozen: whose weights are packed. */
int mfm_conv_setup(mfm_ctx *ctx, mfm_node *node, const mfm_conv_shape *shape, bool frozen);
void mfm_conv_release(mfm_ctx *ctx, mfm_node *node);
/* Of Conv, and of what begins with it: the window, and the output's shape; the multiplications. */
int mfm_conv_infer(mfm_ctx *ctx, mfm_node *node, mfm_window *window);
int64_t mfm_conv_macs(const mfm_node *node);
extern const mfm_port mfm_conv_inputs[], mfm_conv_outputs[];
/* y = [y +] b by channel, and gb = [gb +] the sums of g. */
void mfm_conv_bias(const mfm_node *node, const real *b, real *y, bool add);
void mfm_conv_adjoint_bias(const mfm_node *node, const real *g, real *gb, bool add);

#endif
