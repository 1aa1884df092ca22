/*
 * An operator that says along which axes it works (MFM_ALONG_AXES, MFM_ALONG_LAST) does the same at
 * every place of the others: where its input is turned by one place along such an axis, so is its
 * result, which has the axis with the same length. What then comes first is made half as large,
 * which no other place of the result shows.
 */
#include <math.h>
#include <stdio.h>

#include "core/engine/kernels/broadcast.h"
#include "op_check.h"

static const mfm_ints *list_of(const mfm_sample *s, const char *name)
{
    const mfm_attr_def *def = mfm_attr_find(s->op, name);
    return def ? (const mfm_ints *)(const void *)((const char *)s->attr + def->offset) : NULL;
}

/* The axes that it works along, as a set; all of them where none is named. */
static unsigned axes_of(const mfm_sample *s, int rank)
{
    const mfm_ints *axes = list_of(s, "axes"), *pads = list_of(s, "pads");
    const unsigned all = (1u << rank) - 1;
    unsigned set = 0;
    if (axes || pads) {
        const int count = pads ? pads->count / 2 : axes->count;
        for (int i = 0; i < count; i++) {
            const int64_t axis = axes && axes->count >= 0 ? axes->v[i] : i;
            if (!pads || pads->v[i] || pads->v[count + i])
                set |= 1u << (axis < 0 ? axis + rank : axis);
        }
        return set || pads ? set : all;
    }
    const int64_t axis = (int64_t)mfm_attr_number(s->op, s->attr, "axis", 0);
    const int first = (int)(axis < 0 ? axis + rank : axis);
    return mfm_has_trait(s->op, MFM_ALONG_LAST) ? all & ~((1u << first) - 1) : 1u << first;
}

/* to[i + 1] = from[i] along the axis; to[0] = factor * from[last]. */
static void turn(const mfm_shape *shape, int axis, const real *from, real factor, real *to)
{
    int64_t stride[MFM_MAX_RANK], index[MFM_MAX_RANK] = {0};
    const int64_t count = mfm_shape_count(shape), length = shape->dim[axis];
    mfm_shape_strides(shape, stride);
    for (int64_t i = 0, at = 0; i < count; i++) {
        const bool last = index[axis] + 1 == length;
        to[at + (last ? 1 - length : 1) * stride[axis]] = (last ? factor : 1) * from[at];
        mfm_broadcast_next(shape, stride, index, &at);
    }
}

/* The largest error of what is `now` against what was, turned, but for what comes first. */
static double difference(const mfm_shape *shape, int axis, const real *was, const real *now)
{
    int64_t stride[MFM_MAX_RANK], index[MFM_MAX_RANK] = {0};
    const int64_t count = mfm_shape_count(shape);
    double largest = 0, worst = 0;
    mfm_shape_strides(shape, stride);
    for (int64_t i = 0, at = 0; i < count; i++) {
        if (index[axis] + 1 < shape->dim[axis]) {
            const double error = fabs((double)now[at + stride[axis]] - (double)was[at]);
            worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
            largest = fmax(largest, fabs((double)was[at]));
        }
        mfm_broadcast_next(shape, stride, index, &at);
    }
    return worst == 0 ? 0 : worst / fmax(largest, 1e-3);
}

/* Along an axis of the inputs, which is `to` of the results. */
static int check_axis(mfm_checker *checker, int axis, int to)
{
    const bool joins = mfm_has_trait(checker->sample->op, MFM_JOINS);
    char detail[32];
    mfm_probe probe;
    int status = mfm_probe_init(checker->ctx, checker->sample, checker->seed, 0, &probe);
    if (status)
        return status;
    snprintf(detail, sizeof detail, "turned along axis %d", axis);
    for (int i = 0; i < (joins ? checker->sample->n_in : 1); i++)
        turn(&probe.tensors[i].shape, axis, checker->probe.given[i][MFM_X], (real)0.5,
             probe.given[i][MFM_X]);
    mfm_probe_go(&probe, &(mfm_probe_run){0}, checker->a);
    for (int t = MFM_SAMPLE_PORTS; t < MFM_PROBE_TENSORS; t++) {
        const mfm_shape *shape = &probe.tensors[t].shape;
        const size_t at = probe.offset[t][MFM_X];
        if (!mfm_probe_is_result(&probe, t, MFM_X))
            continue;
        const bool stays =
            to >= 0 && to < shape->rank && shape->dim[to] == probe.tensors[0].shape.dim[axis];
        mfm_checker_note(
            checker, MFM_CHECK_ALONG,
            stays ? difference(shape, to, checker->base + at, checker->a + at) : INFINITY, detail);
    }
    mfm_probe_clear(&probe);
    return MFM_OK;
}

int mfm_check_along(mfm_checker *checker)
{
    const mfm_sample *s = checker->sample;
    const int rank = s->in[0].shape.rank;
    const int more = checker->probe.tensors[MFM_SAMPLE_PORTS].shape.rank - rank;
    if (!mfm_has_trait(s->op, MFM_ALONG_AXES | MFM_ALONG_LAST))
        return MFM_OK;
    const unsigned along = axes_of(s, rank);
    const int count = __builtin_popcount(along);
    int status = MFM_OK;
    for (int axis = 0; axis < rank && !status; axis++) {
        const int before = __builtin_popcount(along & ((1u << axis) - 1));
        if (!(along >> axis & 1))
            status = check_axis(checker, axis, axis + (count ? more * before / count : 0));
    }
    return status;
}
