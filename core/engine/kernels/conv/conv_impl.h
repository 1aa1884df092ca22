/*
 * What stands behind conv.h: several implementations, each at home with some shapes. conv.c takes,
 * for each direction of a convolution, the first of its list that fits.
 */
#ifndef MFM_CONV_IMPL_H
#define MFM_CONV_IMPL_H

#include "core/engine/kernels/conv/conv.h"

enum mfm_conv_direction {
    MFM_CONV_FORWARD,
    MFM_CONV_DATA,    /* gradient of the images */
    MFM_CONV_WEIGHTS, /* gradient of the weights */
    MFM_CONV_DIRECTIONS
};

/* The calls have the arguments of conv.h. They may run in parallel inside, with the number of
 * threads that was in force at make, and their results must not depend on which thread does what.
 */
typedef struct mfm_conv_impl {
    const char *name;
    bool dispatches; /* runs the machine's widest vectors, whatever the build may use */
    /* Which of its versions runs on this machine, as far as results depend on it: " 2.6 for AVX2".
     * NULL: there is one. */
    void (*tell)(char *text, size_t size);
    /* The shape has passed mfm_conv_check. */
    bool (*fits)(const mfm_conv_shape *shape, enum mfm_conv_direction direction);
    /* directions: bit set of those that will be called. *state is freed by release. */
    int (*make)(mfm_ctx *ctx, const mfm_conv_shape *shape, unsigned directions, void **state);
    void (*release)(mfm_ctx *ctx, void *state); /* accepts NULL */
    /* Reals, the largest need of the directions asked for. */
    size_t (*scratch)(const void *state);
    /* Reals of the weights as forward wants them, 0: as they are. */
    size_t (*packed)(const void *state);
    void (*pack)(const void *state, const real *w, real *packed);
    void (*forward)(const void *state, const real *x, const real *packed, real *y, bool add,
                    real *scratch);
    void (*backward_data)(const void *state, const real *gy, const real *w, real *gx, bool add,
                          real *scratch);
    /* The gradient of the weights, or what weights_finish makes it of: sums over samples are added
     * up in that form, of so many reals. Both NULL: as it is. Called in one thread, for the samples
     * of a chunk, or in all for the batch (conv_chunks.h); when adding, their sum as a whole is
     * what is added. */
    void (*backward_weights)(const void *state, const real *gy, const real *x, real *sum, bool add,
                             real *scratch);
    size_t (*weights_sum)(const void *state);
    void (*weights_finish)(const void *state, real *sum, real *gw, bool add, real *scratch);
    /* gw = [gw +] the gradient of the weights, summed over the chunks of the batch: in the place of
     * the three above. */
    void (*weights_at_once)(const void *state, const real *gy, const real *x, real *gw, bool add,
                            real *scratch);
    /* y = x * w + bias, overwriting; NULL: this is not offered. */
    void (*forward_bias)(const void *state, const real *x, const real *packed, const real *bias,
                         real *y, real *scratch);
    /* y = f(x * w + bias), overwriting, of a state whose shape has a finish; NULL: none has. */
    void (*forward_finished)(const void *state, const real *x, const real *packed, const real *bias,
                             real *y, real *scratch);
    /* y = x1 * w1 + x2 * w2, faster than two calls of forward, and its scratch; NULL: it is not. */
    void (*forward_pair)(const void *state, const real *x1, const real *w1, const real *x2,
                         const real *w2, real *y, real *scratch);
    size_t (*pair_scratch)(const void *state);
} mfm_conv_impl;

/* Bytes of vectors up to which some shapes were measured to be faster by own kernels than by a
 * library that dispatches; in wider ones the library is ahead. */
enum { MFM_CONV_NARROW_BYTES = 32 };

/* Takes any shape: oneDNN where the build has it, im2col otherwise. */
extern const mfm_conv_impl mfm_conv_general;
/* Few channels, without groups or dilation: conv_direct.c. */
extern const mfm_conv_impl mfm_conv_direct;
/* As many groups as channels, each to one result, a large kernel: the gradient of the weights only.
 */
extern const mfm_conv_impl mfm_conv_depthwise;
/* 1 x 1 without groups: few pixels or few channels; and the weights of larger kernels with strides,
 * or of one sample. */
extern const mfm_conv_impl mfm_conv_pointwise;
/* 1 x 1 without groups in inference, finished: few results, or dear functions. */
extern const mfm_conv_impl mfm_conv_points;
/* Depthwise in inference, finished with a dear function. */
extern const mfm_conv_impl mfm_conv_single;
/* Many channels, whole vectors of results, without groups or dilation: forward only. */
extern const mfm_conv_impl mfm_conv_panels;
/* 3 x 3 with stride 1 between whole vectors of channels. */
extern const mfm_conv_impl mfm_conv_winograd;
/* The same for the gradient of the weights alone, of few samples. */
extern const mfm_conv_impl mfm_conv_winograd_chunks;
/* The same in smaller tiles, which round no more than the sums: forward only. */
extern const mfm_conv_impl mfm_conv_winograd_small;

/* Lines and volumes, and nothing else: by the others, image after image. */
extern const mfm_conv_impl mfm_conv_slices;

/* As mfm_conv_new, with implementations of the caller's choice, ended by NULL; MFM_ENOTSUP when
 * none fits some direction. */
int mfm_conv_new_from(mfm_ctx *ctx, const mfm_conv_shape *shape, bool inference,
                      const mfm_conv_impl *const *list, mfm_conv **conv);

#endif
