/* A tensor as runs along one axis, or along several that are neighbours in memory. */
#ifndef MFM_RUNS_H
#define MFM_RUNS_H

#include "core/base/shape.h"

/* Element k of run r, 0 <= r < runs, lies at mfm_run_start(r) + k * inner. */
typedef struct mfm_runs {
    int64_t runs, length, inner;
} mfm_runs;

static inline int64_t mfm_run_start(const mfm_runs *v, int64_t r)
{
    return r / v->inner * v->length * v->inner + r % v->inner;
}

/* Along an axis, 0 <= axis < rank, of a tensor with elements. */
static inline mfm_runs mfm_runs_along(const mfm_shape *shape, int axis)
{
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(shape, stride);
    return (mfm_runs){.runs = mfm_shape_count(shape) / shape->dim[axis],
                      .length = shape->dim[axis],
                      .inner = stride[axis]};
}

#endif
