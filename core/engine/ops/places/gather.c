/*
 * Gather (ONNX 1, 11, 13): the slices of the data at given places along an axis. Of data
 * [.., L, ..] and indices of any shape, the result has the indices' axes in place of L. A negative
 * index counts from the end.
 *
 * The adjoint adds each slice of g where it was taken, places in the order of the indices, so that
 * one that is taken twice gets both. Constant indices, which files have, are checked in set-up;
 * others beyond the axis are read as the nearest there is.
 */
#include <string.h>

#include "core/engine/kernels/strided.h"
#include "core/engine/rules.h"

typedef struct gather_attr {
    int64_t axis;
} gather_attr;

enum { DATA, INDICES };
enum { SHORT = 1024 }; /* numbers of a row */

static int axis_of(const mfm_node *node)
{
    const int64_t axis = ((const gather_attr *)node->attr)->axis;
    return (int)(axis < 0 ? axis + node->in[DATA]->shape.rank : axis);
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *x = &node->in[DATA]->shape, *places = &node->in[INDICES]->shape;
    int axis;
    const int status =
        mfm_infer_axis(ctx, node, ((const gather_attr *)node->attr)->axis, x->rank, &axis);
    if (status)
        return status;
    mfm_shape y = {.rank = x->rank - 1 + places->rank};
    if (y.rank > MFM_MAX_RANK)
        return mfm_infer_fail(ctx, node, "%d axes in the result: at most %d are supported", y.rank,
                              MFM_MAX_RANK);
    if (x->dim[axis] < 1 && mfm_shape_count(places))
        return mfm_infer_fail(ctx, node, "axis %d is empty: there is nothing to take", axis);
    for (int i = 0; i < y.rank; i++)
        y.dim[i] = i < axis                  ? x->dim[i]
                   : i < axis + places->rank ? places->dim[i - axis]
                                             : x->dim[i - places->rank + 1];
    node->out[0]->shape = y;
    return MFM_OK;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_tensor *places = node->in[INDICES];
    const int64_t length = node->in[DATA]->shape.dim[axis_of(node)];
    const int64_t count = mfm_shape_count(&places->shape);
    for (int64_t i = 0; places->lane[MFM_X] && i < count; i++) {
        const real index = places->lane[MFM_X][i];
        if (!(index >= (real)-length && index < (real)length))
            return mfm_infer_fail(ctx, node, "index %g: must be in [-%lld, %lld)", (double)index,
                                  (long long)length, (long long)length);
    }
    return MFM_OK;
}

/* A slice: the data's axes but the one, with strides in data and result. */
typedef struct slice {
    mfm_shape shape;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    int64_t x_step; /* of the one */
} slice;

static slice slice_of(const mfm_node *node, int64_t y[MFM_MAX_RANK])
{
    const mfm_shape *data = &node->in[DATA]->shape;
    const int axis = axis_of(node), places = node->in[INDICES]->shape.rank;
    int64_t x[MFM_MAX_RANK];
    slice s = {.shape = {.rank = data->rank - 1}};
    mfm_shape_strides(data, x);
    mfm_shape_strides(&node->out[0]->shape, y);
    s.x_step = x[axis];
    for (int i = 0; i < s.shape.rank; i++) {
        s.shape.dim[i] = data->dim[i + (i >= axis)];
        s.x[i] = x[i + (i >= axis)];
        s.y[i] = y[i < axis ? i : i + places];
    }
    return s;
}

static int64_t nearest(real index, int64_t length)
{
    int64_t place = (int64_t)index;
    place += place < 0 ? length : 0;
    return place < 0 ? 0 : place >= length ? length - 1 : place;
}

static int64_t place_at(const mfm_node *node, const int64_t at[MFM_MAX_RANK], int64_t length)
{
    const mfm_shape *shape = &node->in[INDICES]->shape;
    int64_t stride[MFM_MAX_RANK], offset = 0;
    mfm_shape_strides(shape, stride);
    for (int i = 0; i < shape->rank; i++)
        offset += at[i] * stride[i];
    return nearest(mfm_in(node, INDICES, MFM_X)[offset], length);
}

enum way { READ, ADD, WRITE };

/* Whether strides are those of rows one behind the other, `step` numbers from one to the next. */
static bool follow(int rank, const int64_t *dim, const int64_t *stride, int64_t step)
{
    bool all = true;
    for (int i = rank - 1; i >= 0; step *= dim[i--])
        all = all && (dim[i] == 1 || stride[i] == step);
    return all;
}

/* The length of slices that are rows: whole in the data and in the result, in the order of the
 * indices. 0: they are not. */
static int64_t row_length(const mfm_node *node, const slice *s, const int64_t y[MFM_MAX_RANK])
{
    const mfm_shape *places = &node->in[INDICES]->shape;
    const int64_t length = mfm_shape_count(&s->shape);
    int64_t own[MFM_MAX_RANK];
    mfm_shape_strides(places, own);
    const bool rows = follow(s->shape.rank, s->shape.dim, s->x, 1) &&
                      follow(s->shape.rank, s->shape.dim, s->y, 1) &&
                      follow(places->rank, places->dim, y + axis_of(node), length) &&
                      follow(places->rank, places->dim, own, 1);
    return rows ? length : 0;
}

static void move_row(int64_t n, const real *restrict from, real *restrict to, bool add)
{
    if (!from)
        memset(to, 0, (size_t)n * sizeof *to);
    else if (!add)
        memcpy(to, from, (size_t)n * sizeof *to);
    else
        for (int64_t i = 0; i < n; i++)
            to[i] += from[i];
}

/* Short rows: one strided copy for each would be little but its own preparation. */
static void each_row(const mfm_node *node, int64_t n, const real *from, real *to, enum way way)
{
    const int64_t length = node->in[DATA]->shape.dim[axis_of(node)];
    const int64_t count = mfm_shape_count(&node->in[INDICES]->shape);
    const real *places = mfm_in(node, INDICES, MFM_X);
    for (int64_t k = 0; k < count; k++) {
        const int64_t row = nearest(places[k], length) * n;
        if (way == READ)
            move_row(n, from ? from + row : NULL, to + k * n, false);
        else
            move_row(n, from + k * n, to + row, way == ADD);
    }
}

/* Copies each slice, from the data to the result, or back. */
static void each_slice(const mfm_node *node, const real *from, real *to, enum way way)
{
    const mfm_shape *places = &node->in[INDICES]->shape;
    const int64_t count = mfm_shape_count(places);
    const int axis = axis_of(node);
    const int64_t length = node->in[DATA]->shape.dim[axis];
    int64_t y[MFM_MAX_RANK], at[MFM_MAX_RANK] = {0};
    const slice s = slice_of(node, y);
    const int64_t row = row_length(node, &s, y);
    if (row > 0 && row <= SHORT) {
        each_row(node, row, from, to, way);
        return;
    }
    for (int64_t k = 0; k < count; k++) {
        int64_t in_y = 0;
        const int64_t in_x = place_at(node, at, length) * s.x_step;
        for (int i = 0; i < places->rank; i++)
            in_y += at[i] * y[axis + i];
        if (way == READ)
            mfm_strided_copy(&s.shape, from ? from + in_x : NULL, s.x, 1, to + in_y, s.y, false);
        else
            mfm_strided_copy(&s.shape, from + in_y, s.y, 1, to + in_x, s.x, way == ADD);
        for (int i = places->rank - 1; i >= 0 && ++at[i] == places->dim[i]; i--)
            at[i] = 0;
    }
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    each_slice(node, mfm_in(node, DATA, lane), mfm_out(node, 0, lane), READ);
}

/* Zeros at places [first, end) of the axis. */
static void clear(const mfm_node *node, int64_t first, int64_t end, real *to)
{
    mfm_shape shape = node->in[DATA]->shape;
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(&shape, stride);
    shape.dim[axis_of(node)] = end - first;
    if (first < end)
        mfm_strided_fill(&shape, 0, to + first * stride[axis_of(node)], stride);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const int64_t length = node->in[DATA]->shape.dim[axis_of(node)];
    const real *from = mfm_out(node, 0, lane);
    real *to = mfm_in(node, DATA, lane);
    if (!to)
        return;
    if (from && !mfm_accumulates(node, DATA, lane) &&
        mfm_shape_count(&node->in[INDICES]->shape) == 1) { /* of one place nothing is added */
        const int64_t zero[MFM_MAX_RANK] = {0}, place = place_at(node, zero, length);
        clear(node, 0, place, to);
        clear(node, place + 1, length, to);
        each_slice(node, from, to, WRITE);
        return;
    }
    if (!mfm_accumulates(node, DATA, lane))
        clear(node, 0, length, to);
    if (from)
        each_slice(node, from, to, ADD);
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_attr_def attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(gather_attr, axis)}, {0}};
static const mfm_port inputs[] = {
    {"data", MFM_DATA, false, false}, {"indices", MFM_INDEX, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,5,3] []<5 axis=1",
                                      "[5,3] [4]<5",
                                      "[2,5] [3,2]<5 axis=-1",
                                      "[3,2,2,4,2] []<3",
                                      "[2,3,4,2] [2]<4 axis=2",
                                      "[2,3,4,2] [2,1]<3 axis=1",
                                      "[4,3] [2,2,2]<4",
                                      "[3] [1]<3 opset=1",
                                      "[3] []<3",
                                      NULL};

const mfm_op mfm_op_gather = {
    .name = "Gather",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(gather_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_FREE,
    .summary = "slices at constant places along an axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_gather = {
    .op = &mfm_op_gather,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_IN,
};
