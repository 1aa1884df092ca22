/*
 * Convolution. Of images in channels-last storage: images [n, h, w, c], weights [o, kh, kw,
 * c / groups], results [n, oh, ow, o]. Of lines and volumes in row-major storage: [n, c, w] with
 * weights [o, c / groups, kw], and [n, c, d, h, w] with [o, c / groups, kd, kh, kw]. conv_impl.h
 * tells what stands behind this header.
 */
#ifndef MFM_CONV_H
#define MFM_CONV_H

#include "core/base/context.h"
#include "core/base/real.h"
#include "core/base/share.h"

#include <stdbool.h>
#include <stdint.h>

/* The depth of volumes; a line lies at one depth and in one row: all are 1, pad_begin 0. */
typedef struct mfm_conv_depth {
    int64_t in, out, kernel, stride, dilation, pad_begin;
} mfm_conv_depth;

/* What is done to results on their way: nothing; or y = f(x * w + bias). */
enum mfm_conv_finish {
    MFM_CONV_AS_IT_IS,
    MFM_CONV_BIAS,
    MFM_CONV_BIAS_RELU,
    MFM_CONV_BIAS_SWISH,
    MFM_CONV_BIAS_HARD_SWISH,
    MFM_CONV_BIAS_RELU6
};

typedef struct mfm_conv_shape {
    int64_t n, c, h, w; /* input */
    mfm_share share;    /* which samples these are, of those of all ranks; zero: all */
    int64_t o, oh, ow;  /* result */
    int64_t kh, kw;
    int64_t stride[2], dilation[2];
    int64_t pad_begin[2], pad_end[2]; /* rows, columns */
    int64_t groups;
    bool row_major;              /* lines or volumes */
    mfm_conv_depth depth;        /* not read for images */
    enum mfm_conv_finish finish; /* in inference, where mfm_conv_finishes says so */
} mfm_conv_shape;

typedef struct mfm_conv mfm_conv;

/* inference: only the calls that take packed weights will be made. */
int mfm_conv_new(mfm_ctx *ctx, const mfm_conv_shape *shape, bool inference, mfm_conv **conv);
void mfm_conv_free(mfm_ctx *ctx, mfm_conv *conv);
/* Reals that each of the calls below may use at scratch, 64-byte aligned. */
size_t mfm_conv_scratch(const mfm_conv *conv);

/* Weights that serve many forward calls are packed once: reals of the packed form (0: none is
 * needed, forward_packed takes w itself), 64-byte aligned. */
size_t mfm_conv_packed(const mfm_conv *conv);
void mfm_conv_pack(const mfm_conv *conv, const real *w, real *packed);
void mfm_conv_forward_packed(const mfm_conv *conv, const real *x, const real *packed, real *y,
                             bool add, real *scratch);

/* Whether a kernel for inference finishes results of such a shape as that says, whatever the number
 * of images: then mfm_conv_forward_finished is the only call that is made. */
bool mfm_conv_finishes(const mfm_conv_shape *shape);
void mfm_conv_forward_finished(const mfm_conv *conv, const real *x, const real *packed,
                               const real *bias, real *y, real *scratch);

/* Each adds to its result when `add`, and overwrites otherwise. */
void mfm_conv_forward(const mfm_conv *conv, const real *x, const real *w, real *y, bool add,
                      real *scratch);
/* y = x1 * w1 + x2 * w2 */
void mfm_conv_forward_pair(const mfm_conv *conv, const real *x1, const real *w1, const real *x2,
                           const real *w2, real *y, real *scratch);
/* y = x * w + bias in one sweep, for a convolution that takes it. packed NULL: w is packed first.
 */
bool mfm_conv_takes_bias(const mfm_conv *conv);
void mfm_conv_forward_bias(const mfm_conv *conv, const real *x, const real *w, const real *packed,
                           const real *bias, real *y, real *scratch);
void mfm_conv_backward_data(const mfm_conv *conv, const real *gy, const real *w, real *gx, bool add,
                            real *scratch);
/* Summed over samples as share.h tells: whatever the number of threads, the same bits. */
void mfm_conv_backward_weights(const mfm_conv *conv, const real *gy, const real *x, real *gw,
                               bool add, real *scratch);
/* Which kernels this process has, as far as results depend on it: the vectors of its build, and
 * what takes the shapes that nothing else fits: "vectors of 32 bytes with fused multiplication,
 * oneDNN 2.6.0 for AVX-512". */
enum { MFM_KERNELS_TEXT = 160 };
void mfm_kernels_text(char text[MFM_KERNELS_TEXT]);

#endif
