#include "core/engine/ops/reduce/axes.h"

void mfm_axes_mark(const mfm_ints *axes, int rank, bool marked[MFM_MAX_RANK])
{
    for (int i = 0; i < MFM_MAX_RANK; i++)
        marked[i] = false;
    for (int i = 0; i < axes->count; i++)
        marked[mfm_axis_at(axes, i, rank)] = true;
}

int mfm_infer_axes(mfm_ctx *ctx, const mfm_node *node, const mfm_ints *axes, int rank)
{
    bool marked[MFM_MAX_RANK] = {false};
    for (int i = 0; i < axes->count; i++) {
        int axis;
        int status = mfm_infer_axis(ctx, node, axes->v[i], rank, &axis);
        if (status)
            return status;
        if (marked[axis])
            return mfm_infer_fail(ctx, node, "axes: %d: stands twice", axis);
        marked[axis] = true;
    }
    return MFM_OK;
}
