/*
 * One training step of a modulated network, exactly: paper equations 5 to 7.
 *
 * L(w, h) is the loss of a training batch, h = H(phi; y0) the modulation values, y0 the soft label
 * softmax(f(x; w)) of the un-modulated network, held constant. L_meta(w) is the loss of a meta
 * batch through the un-modulated network.
 *
 *     w^     = w - alpha grad_w L(w, H(phi))                                  virtual step (5)
 *     grad_phi L_meta(w^) = -alpha (dh/dphi)^T [ d/de dL/dh (w + e v) ],   v = grad L_meta(w^)
 *     phi   <- optimiser(phi, that)                                           (6)
 *     w     <- optimiser(w, grad_w L(w, H(phi)))                              (7)
 *
 * The bracket is one tangent sweep (forward along v, then the tangent of the backward pass from the
 * loss down to h), so no second-order tape exists. In units of one forward pass the step costs 10;
 * a plain step costs 3.
 *
 * Running statistics follow the un-modulated pass over training data, and nothing else. Dropout
 * masks are the same in all passes of one step over the training batch.
 */
#ifndef MFM_BILEVEL_H
#define MFM_BILEVEL_H

#include "core/data/batch.h"
#include "core/engine/plan.h"
#include "core/train/split_graph.h"

typedef struct mfm_bilevel mfm_bilevel;

/* split must have a modulator, and outlive the result. */
int mfm_bilevel_new(mfm_ctx *ctx, const mfm_split_graph *split, int64_t batch, int64_t meta_batch,
                    mfm_bilevel **bilevel);
void mfm_bilevel_free(mfm_bilevel *bilevel);

/* The vectors that the step works on: w and state laid out as split->main, phi as ->modulator. */
void mfm_bilevel_bind(mfm_bilevel *bilevel, real *w, real *state, real *phi);

/* (5) and v: everything up to the gradient of the meta loss at w^. Updates running statistics. */
void mfm_bilevel_virtual(mfm_bilevel *bilevel, const mfm_batch *train, const mfm_batch *meta,
                         double alpha, uint64_t seed, uint64_t step);
/* The hypergradient without its factor: (dh/dphi)^T DG_h, laid out as phi. Multiply by -alpha.
 * After mfm_bilevel_virtual, with w and phi unchanged. */
const real *mfm_bilevel_hypergradient(mfm_bilevel *bilevel);
/* grad_w L(w, H(phi)) for the phi that is there now, laid out as w. */
const real *mfm_bilevel_gradient(mfm_bilevel *bilevel);

/* What the step computed on the way. */
typedef struct mfm_bilevel_losses {
    double train; /* L(w, H(phi)) of the last gradient */
    double meta;  /* L_meta(w^) */
} mfm_bilevel_losses;
mfm_bilevel_losses mfm_bilevel_last(const mfm_bilevel *bilevel);
/* w^, v and the first gradient: laid out as w; valid until the next call. For tests and reports. */
const real *mfm_bilevel_virtual_weights(const mfm_bilevel *bilevel);
const real *mfm_bilevel_meta_gradient(const mfm_bilevel *bilevel);
const real *mfm_bilevel_soft_label(const mfm_bilevel *bilevel);
/* Bytes of all its buffers. */
size_t mfm_bilevel_bytes(const mfm_bilevel *bilevel);

#endif
