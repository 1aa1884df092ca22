/*
 * Where the numbers of a graph's parameters lie in a vector. In the graph's own vector each lies at
 * its offset; a vector that holds some of them alone is shorter.
 */
#ifndef MFM_PARAM_ROOM_H
#define MFM_PARAM_ROOM_H

#include "core/base/linkage.h"
#include "core/engine/graph.h"

MFM_C_BEGIN

/* The place of a parameter that the vector does not hold. */
#define MFM_NO_ROOM SIZE_MAX

typedef struct mfm_param_room {
    size_t size; /* reals of the vector */
    size_t *at;  /* [n_values] where the numbers of a parameter begin */
} mfm_param_room;

/* Room for the parameters of which holds[n_values] says so, in their order, with the gaps that they
 * have in the graph's own vector: for all of them, that is its form. */
int mfm_param_room_init(mfm_ctx *ctx, const mfm_graph *graph, const bool *holds,
                        mfm_param_room *room);
void mfm_param_room_clear(mfm_ctx *ctx, mfm_param_room *room);
/* Numbers from a parameter's first to that of the next, gaps included. */
size_t mfm_param_extent(const mfm_graph *graph, size_t param);

MFM_C_END

#endif
