/*
 * Sharpness-aware minimisation (Foret et al., ICLR 2021, equation 3), on top of any optimiser: the
 * step goes along the gradient at w + rho g / |g| instead of g, the gradient at w.
 *
 * A method takes the gradient, climbs, takes the gradient again over the same batch and the same
 * masks, without running statistics, and descends before its step.
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
/* w += rho g / |g|, over the trainable parameters; a gradient of zeros moves nothing. */
void mfm_sharpness_climb(const mfm_sharpness *sharpness, const mfm_graph *graph,
                         const real *gradient, real *w);
/* w as it was. */
void mfm_sharpness_descend(const mfm_sharpness *sharpness, const mfm_graph *graph, real *w);

MFM_C_END

#endif
