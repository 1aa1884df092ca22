/*
 * Derivatives of a classifier at given images, by the engine's four passes. With z(x, w) the logits
 * [n, classes] of images x and parameters w, v a direction in (x, w), and f the mean cross-entropy
 * of the softmax of z over labels, or <u, z> for a cotangent u:
 *     gradient  df/dx, df/dw        one backward pass
 *     jvp       J v, of z           one tangent pass
 *     hvp       H v, H = d2f/d(x,w)2, the tangent of the backward pass along v
 */
#ifndef MFM_DERIVATIVES_H
#define MFM_DERIVATIVES_H

#include "core/engine/plan/plan.h"
#include "core/train/problem/network.h"

/* What is wanted, and of what f. */
typedef struct mfm_derivatives_spec {
    int64_t batch;
    bool training; /* BatchNormalization over the batch, Dropout with masks of the seed */
    uint64_t seed;
    bool labels; /* f is the cross-entropy over labels, else <cotangent, logits> */
    bool gradient, jvp, hvp;
    bool along_images, along_params; /* which parts of v are not zero */
} mfm_derivatives_spec;

/* Buffers are in the engine's storage order; those of parameters have the graph's layout
 * (params_size). */
typedef struct mfm_derivatives {
    mfm_ctx *ctx;
    mfm_derivatives_spec spec;
    mfm_network *network; /* the caller's, with the loss added */
    mfm_plan *plan;
    int labels, loss;           /* values of the graph; -1 */
    mfm_shape images, logits;   /* at the batch */
    real *x, *class_numbers;    /* set by the caller: images, labels [n] */
    real *cotangent;            /* u [n, classes], set by the caller */
    real *v_images, *v_params;  /* v, zero at first, set by the caller */
    real *g_params, *hv_params; /* results; those of the images are lanes of the plan */
    real *soft_label, *toggle;  /* of a modulator, which is switched off */
    double value, along;        /* f, and its derivative along v */
} mfm_derivatives;

/* The network must outlive *d, which is cleared with mfm_derivatives_clear, also after a failure.
 * MFM_ENOMEM, MFM_ENOTSUP. */
int mfm_derivatives_init(mfm_ctx *ctx, mfm_network *network, const mfm_derivatives_spec *spec,
                         mfm_derivatives *d);
void mfm_derivatives_clear(mfm_derivatives *d);
void mfm_derivatives_run(mfm_derivatives *d);
/* Results of the last run, in storage order: NULL where they were not asked for, or are zero. */
const real *mfm_derivatives_of_images(const mfm_derivatives *d, bool hvp);
const real *mfm_derivatives_of_param(const mfm_derivatives *d, const mfm_value *param, bool hvp);
const real *mfm_derivatives_jvp(const mfm_derivatives *d);

#endif
