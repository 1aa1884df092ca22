/* Convolution by the sums that define it, in double, and how far a kernel is from them. */
#ifndef CONV_REFERENCE_H
#define CONV_REFERENCE_H

#include "core/engine/kernels/conv/conv_impl.h"

/* n, c, h, w, o, kh, kw, strides, dilations, pads (top, left, bottom, right), groups */
typedef struct conv_geometry {
    const char *name;
    int n, c, h, w, o, kh, kw, stride[2], dilation[2], pads[4], groups;
} conv_geometry;

mfm_conv_shape conv_shape_of(const conv_geometry *g);

/* The rounding unit of real. */
extern const double conv_epsilon;

/* Everything in double; each array comes with the sums of the terms' sizes, for the tolerance. */
typedef struct conv_terms {
    int64_t n_x, n_w, n_y;
    real *x, *w, *y;      /* y is the results' adjoint */
    double *fx, *fw, *fy; /* gx, gw, and the forward result */
    double *ax, *aw, *ay; /* the same of absolute values */
} conv_terms;

/* Random x, w and y of the shape, and the sums. The caller frees them. */
conv_terms conv_terms_new(const mfm_conv_shape *s);
void conv_terms_free(conv_terms *t);

/* Zeros, 64-byte aligned and not a byte longer; for free(). */
void *conv_array(int64_t count, size_t size);

/* What an error is measured against. Sums of the defining terms in any order: the sizes of the
 * terms of that result. Winograd's transforms mix the terms of a whole tile, large and small: the
 * largest result, whatever its own size; random data stay far below what the norms of the matrices
 * allow.
 */
enum conv_bound { CONV_BOUND_OWN, CONV_BOUND_LARGEST };

/* Runs one direction between guard words, with scratch (and, unless adding, the result) not numbers
 * before, and returns the worst error in units of its bound. */
double conv_worst_error(const mfm_conv *conv, const mfm_conv_shape *s, const conv_terms *t,
                        enum mfm_conv_direction direction, bool add, enum conv_bound bound);

#endif
