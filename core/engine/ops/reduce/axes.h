/* Lists of axes, as Squeeze, Unsqueeze, ReduceMean, Slice and Pad take them. */
#ifndef MFM_AXES_H
#define MFM_AXES_H

#include "core/engine/op.h"

/* Entry i of a checked list as an axis in [0, rank); of a list that is not given, axis i. */
static inline int mfm_axis_at(const mfm_ints *axes, int i, int rank)
{
    const int64_t axis = axes->count < 0 ? i : axes->v[i];
    return (int)(axis < 0 ? axis + rank : axis);
}

/* Marks the axes of a checked list; none of a list that is not given. */
void mfm_axes_mark(const mfm_ints *axes, int rank, bool marked[MFM_MAX_RANK]);
/* Every entry must be in [-rank, rank), and none may stand twice. A list that is not given passes.
 */
int mfm_infer_axes(mfm_ctx *ctx, const mfm_node *node, const mfm_ints *axes, int rank);

#endif
