/*
 * What convolution by oneDNN is made of: oneDNN's own things for one shape. conv_onednn_make.c
 * makes them, conv_onednn.c runs them.
 */
#ifndef MFM_CONV_ONEDNN_H
#define MFM_CONV_ONEDNN_H

#include <dnnl.h>

#include "core/engine/kernels/conv/conv_impl.h"

/* Adding forward is its own primitive, with oneDNN's sum; oneDNN has none for the other two. */
enum mfm_onednn_direction {
    MFM_ONEDNN_FORWARD,
    MFM_ONEDNN_FORWARD_ADD,
    MFM_ONEDNN_DATA,
    MFM_ONEDNN_WEIGHTS,
    MFM_ONEDNN_DIRECTIONS
};

/* Scratch of a direction: oneDNN's scratchpad, then the packed weights, then a result that is to be
 * added to what is there; of the gradient of the weights, which is summed as oneDNN lays it out, a
 * summand or its plain form in the place of these. */
typedef struct mfm_onednn_part {
    dnnl_primitive_t run;
    dnnl_primitive_t reorder; /* plain to packed weights, WEIGHTS: back; NULL when plain is used */
    dnnl_memory_t packed, scratchpad;
    size_t packed_at, sum_at, size; /* bytes */
} mfm_onednn_part;

typedef struct mfm_onednn {
    mfm_conv_shape shape;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_desc_t image_desc, result_desc, weights_desc, bias_desc;
    dnnl_memory_t image, result, weights, bias; /* handles are set by each call */
    mfm_onednn_part parts[MFM_ONEDNN_DIRECTIONS];
} mfm_onednn;

/* The make and release of conv_impl.h; a state is a mfm_onednn. */
int mfm_onednn_make(mfm_ctx *ctx, const mfm_conv_shape *shape, unsigned directions, void **state);
void mfm_onednn_release(mfm_ctx *ctx, void *state);

#endif
