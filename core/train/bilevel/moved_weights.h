/*
 * The vectors of a virtual step, w^ and v, with room for the parameters that it moves alone: of the
 * others the meta batch reads w, and those that have factors (factored.h) need neither.
 */
#ifndef MFM_MOVED_WEIGHTS_H
#define MFM_MOVED_WEIGHTS_H

#include "core/engine/param_room.h"
#include "core/train/bilevel/bilevel.h"
#include "core/train/bilevel/factored.h"

typedef struct mfm_moved_weights {
    const mfm_graph *graph;
    mfm_param_room w_room, v_room;
    real *w; /* NULL: w^ is w */
    real *v;
} mfm_moved_weights;

/* spec->moved and factored say which parameters are moved, and how. */
int mfm_moved_weights_init(mfm_ctx *ctx, const mfm_graph *graph, const mfm_bilevel_spec *spec,
                           const mfm_factored *factored, mfm_moved_weights *moved);
void mfm_moved_weights_clear(mfm_ctx *ctx, mfm_moved_weights *moved);

/* The meta batch reads w^, and w where that is as good; it leaves v, along which the training
 * batch's tangents go. */
void mfm_moved_weights_bind(mfm_moved_weights *moved, mfm_plan *train, mfm_plan *meta, real *w);

/* w^ = w - alpha R (g + momentum velocity + weight_decay w), R the parameters' rates. without:
 * whose parameters are left out; NULL: none. */
void mfm_moved_weights_move(mfm_moved_weights *moved, const mfm_virtual_step *step, const real *w,
                            const real *gradient, const mfm_factored *without);
/* v = R v */
void mfm_moved_weights_scale(mfm_moved_weights *moved);

size_t mfm_moved_weights_bytes(const mfm_moved_weights *moved);

#endif
