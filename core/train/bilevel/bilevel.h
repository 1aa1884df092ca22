/*
 * One step of a problem whose loss has hyper-parameters, exactly.
 *
 * L(w, h) is the objective on a training batch, h = H(phi; y) what the hyper graphs give, y what
 * they read of the main graph at w, held constant. L_meta(w) is the plain loss of a meta batch.
 *
 *     w^     = w - alpha grad_w L(w, H(phi))                                  virtual step
 *     grad_phi L_meta(w^) = -alpha (dh/dphi)^T [ d/de dL/dh (w + e v) ],   v = grad L_meta(w^)
 *     phi   <- optimiser(phi, that)
 *     w     <- optimiser(w, grad_w L(w, H(phi)))
 *
 * For a modulated network these are equations 5 to 7 of the paper; for Meta-Weight-Net h is the
 * weights of the samples. The bracket is one tangent sweep (forward along v, then the tangent of
 * the backward pass from the loss down to h only), so no second-order tape exists. In units of one
 * forward pass the step costs 10; a plain step costs 3.
 *
 * A parameter with a rate r of its own (core/engine/graph.h) moves by r alpha in both steps, and
 * its part of v is r times the gradient.
 *
 * Running statistics follow the plain pass over training data, and nothing else. Dropout masks are
 * the same in all passes of one step over the training batch.
 */
#ifndef MFM_BILEVEL_H
#define MFM_BILEVEL_H

#include "core/data/batch.h"
#include "core/base/linkage.h"
#include "core/engine/plan/plan.h"
#include "core/train/problem/problem.h"

MFM_C_BEGIN

struct mfm_comm;
typedef struct mfm_bilevel mfm_bilevel;

enum mfm_meta_step {
    MFM_META_EXACT, /* all of it */
    MFM_META_AT_W,  /* w^ = w: where the objective's gradient is zero at phi, or taken to be */
    MFM_META_NEVER  /* phi stays as it is: no meta batch, no tangents */
};

/* Which matrices have their virtual step and their part of v by factors (factored.h): of fully
 * connected layers with millions of weights and batches much smaller than their sides, unless
 * somebody says otherwise. Results differ by rounding. */
enum mfm_bilevel_factors { MFM_FACTORS_LARGE, MFM_FACTORS_NONE, MFM_FACTORS_ALL };

typedef struct mfm_bilevel_spec {
    int64_t batch, meta_batch;   /* of all ranks together */
    mfm_share share, meta_share; /* what is at hand of them; all zero: all */
    struct mfm_comm *comm;       /* the ranks that have the rest; NULL: nobody */
    enum mfm_meta_step meta;
    enum mfm_bilevel_factors factors;
    bool sharp; /* mfm_bilevel_gradient_nearby will be called */
    bool full;  /* virtual steps will come with velocity or weight decay */
    /* [n_values of the main graph] parameters that the virtual step moves; NULL: all that are
     * trainable. v and the tangents are those of these alone. Read by mfm_bilevel_new only. */
    const bool *moved;
} mfm_bilevel_spec;

/* The virtual step: w^ = w - alpha (g + momentum velocity + weight_decay w). The factors in front
 * of g are constant, so the hypergradient has the same form. */
typedef struct mfm_virtual_step {
    double alpha, momentum, weight_decay;
    bool spare_vectors; /* as in mfm_optimizer, and so is `spared` */
    const mfm_value *spared;
    const real *velocity; /* laid out as w; NULL: none */
} mfm_virtual_step;

static inline bool mfm_virtual_step_is_plain(const mfm_virtual_step *step)
{
    return step->weight_decay == 0 && !step->velocity;
}

/* The problem must have a hyper graph, and outlive the result. */
int mfm_bilevel_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_bilevel_spec *spec,
                    mfm_bilevel **bilevel);
void mfm_bilevel_free(mfm_bilevel *bilevel);

/* The vectors that the step works on: w and state laid out as the main graph, phi[i] as hyper graph
 * i (core/train/bilevel/hyper_plan.h). */
void mfm_bilevel_bind(mfm_bilevel *bilevel, real *w, real *state, real *const *phi);

/* A step is begin, virtual, hypergradients, gradient; without a meta step begin and gradient. */

/* The plain forward over the training batch, and h. Updates running statistics. rows: for phi that
 * is picked by the images' indices, the row of each sample; NULL for others. */
void mfm_bilevel_begin(mfm_bilevel *bilevel, const mfm_batch *train, const uint32_t *rows,
                       uint64_t seed, uint64_t step);
/* w^ and v: everything up to the gradient of the meta loss at w^. step is ignored at w. */
void mfm_bilevel_virtual(mfm_bilevel *bilevel, const mfm_batch *meta, const mfm_virtual_step *step);
/* The hypergradients without their factor: (dh/dphi)^T DG_h for each hyper graph, laid out as phi,
 * or one row for each sample at hand; multiply by -alpha. After mfm_bilevel_virtual, with w and phi
 * unchanged. */
const real *const *mfm_bilevel_hypergradients(mfm_bilevel *bilevel);
/* grad_w L(w, H(phi)) for the phi that is there now, laid out as w. */
const real *mfm_bilevel_gradient(mfm_bilevel *bilevel);

/* After that, with other w in the bound vector: grad_w L(w, h), h as the gradient before has it,
 * laid out as w, in place of that gradient. Running statistics and losses stay. */
const real *mfm_bilevel_gradient_nearby(mfm_bilevel *bilevel);

/* What the step computed on the way. */
typedef struct mfm_bilevel_losses {
    double train; /* L(w, H(phi)) of the last gradient */
    double meta;  /* L_meta(w^); 0 in a step without it */
} mfm_bilevel_losses;
mfm_bilevel_losses mfm_bilevel_last(const mfm_bilevel *bilevel);
/* w^ and v, laid out as w; valid until the next call. For tests and reports. NULL where they are
 * not made of all parameters: some have factors, or are not moved. */
const real *mfm_bilevel_virtual_weights(const mfm_bilevel *bilevel);
const real *mfm_bilevel_meta_gradient(const mfm_bilevel *bilevel);
/* How many matrices have factors. */
size_t mfm_bilevel_factored(const mfm_bilevel *bilevel);
/* A value of the main graph that a hyper graph reads. */
const real *mfm_bilevel_read(const mfm_bilevel *bilevel, size_t link);
/* Bytes of all its buffers. */
size_t mfm_bilevel_bytes(const mfm_bilevel *bilevel);

MFM_C_END

#endif
