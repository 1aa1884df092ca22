/*
 * Sharpness-aware minimisation (Foret et al., ICLR 2021, equation 3), on top of any optimiser: the
 * step goes along the gradient at w + rho g / |g| instead of g, the gradient at w.
 *
 * A method takes the gradient, has it sharpened, and steps along what comes out. The gradient is
 * taken again over the same batch and the same masks; running statistics follow the first pass
 * alone. What the objective has beside w (scale and shift of features, weights of samples) is that
 * of w, held constant; meta steps and their virtual step are the plain ones.
 */
#ifndef MFM_SHARPNESS_H
#define MFM_SHARPNESS_H

#include "core/engine/graph.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

typedef struct mfm_sharpness {
    double rho;  /* 0: plain steps */
    real *saved; /* w; NULL: rho is 0 */
} mfm_sharpness;

int mfm_sharpness_init(mfm_ctx *ctx, mfm_sharpness *sharpness, double rho, const mfm_graph *graph);
void mfm_sharpness_clear(mfm_ctx *ctx, mfm_sharpness *sharpness);
/* Whether there is anything to do. */
static inline bool mfm_sharpness_on(const mfm_sharpness *sharpness)
{
    return sharpness->rho > 0;
}
/* |g| over the trainable parameters. */
double mfm_sharpness_norm(const mfm_graph *graph, const real *gradient);
/* The gradient to step along: `gradient` itself where there is nothing to do, else what again(self)
 * returns while w is w + rho g / |g|, over the trainable parameters (g of zeros moves nothing). w
 * is as it was in the end. Both gradients may lie in one vector. */
const real *mfm_sharpen(const mfm_sharpness *sharpness, const mfm_graph *graph,
                        const real *gradient, real *w, const real *(*again)(void *self),
                        void *self);

MFM_C_END

#endif
