#include "core/engine/ops/reduce/reduction.h"

#include "core/engine/kernels/nest.h"
#include "core/engine/kernels/reduce.h"
#include "core/engine/kernels/strided.h"
#include "core/engine/ops/reduce/axes.h"

enum { X, Y };

#define AXES_SINCE(version)                                                                        \
    {                                                                                              \
        .name = "axes", .type = MFM_INTS, .offset = offsetof(mfm_reduction_attr, axes),            \
        .from_input = 1, .since = (version)                                                        \
    }
#define OTHERS                                                                                     \
    {.name = "keepdims",                                                                           \
     .type = MFM_INT,                                                                              \
     .offset = offsetof(mfm_reduction_attr, keepdims),                                             \
     .fallback = 1},                                                                               \
    {                                                                                              \
        .name = "noop_with_empty_axes", .type = MFM_INT,                                           \
        .offset = offsetof(mfm_reduction_attr, noop_with_empty_axes)                               \
    }

const mfm_attr_def mfm_reduction_attrs_13[] = {AXES_SINCE(13), OTHERS, {0}};
const mfm_attr_def mfm_reduction_attrs_18[] = {AXES_SINCE(18), OTHERS, {0}};
const mfm_port mfm_reduction_inputs[] = {{"data", MFM_DATA, false, false}, {0}};
const mfm_port mfm_reduction_outputs[] = {{"reduced", MFM_DATA, false, false}, {0}};

void mfm_reduction_mark(const mfm_node *node, bool reduced[MFM_MAX_RANK])
{
    const mfm_reduction_attr *attr = node->attr;
    const int rank = node->in[0]->shape.rank;
    mfm_axes_mark(&attr->axes, rank, reduced);
    for (int i = 0; i < rank && attr->axes.count <= 0; i++)
        reduced[i] = !attr->noop_with_empty_axes;
}

int mfm_reduction_infer(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_reduction_attr *attr = node->attr;
    const mfm_shape *x = &node->in[0]->shape;
    int status = mfm_infer_axes(ctx, node, &attr->axes, x->rank);
    if (status)
        return status;
    bool reduced[MFM_MAX_RANK];
    mfm_reduction_mark(node, reduced);
    mfm_shape y = {0};
    for (int i = 0; i < x->rank; i++) {
        if (reduced[i] && x->dim[i] == 0)
            return mfm_infer_fail(ctx, node, "axis %d has length 0: there is nothing to reduce", i);
        if (!reduced[i])
            y.dim[y.rank++] = x->dim[i];
        else if (attr->keepdims)
            y.dim[y.rank++] = 1;
    }
    node->out[0]->shape = y;
    return MFM_OK;
}

int mfm_reduction_infer_some(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_reduction_attr *attr = node->attr;
    if (attr->axes.count <= 0 && attr->noop_with_empty_axes)
        return mfm_infer_fail(ctx, node,
                              "noop_with_empty_axes without axes: what it means for this "
                              "operator differs between versions of ONNX");
    return mfm_reduction_infer(ctx, node);
}

int64_t mfm_reduction_strides(const mfm_node *node, int64_t x[MFM_MAX_RANK],
                              int64_t y[MFM_MAX_RANK])
{
    const mfm_shape *shape = &node->in[0]->shape;
    const bool keepdims = ((const mfm_reduction_attr *)node->attr)->keepdims;
    bool reduced[MFM_MAX_RANK];
    int64_t own[MFM_MAX_RANK], count = 1;
    mfm_reduction_mark(node, reduced);
    mfm_shape_strides(shape, x);
    mfm_shape_strides(&node->out[0]->shape, own);
    for (int i = 0, at = 0; i < shape->rank; i++) {
        y[i] = reduced[i] ? 0 : own[at];
        at += !reduced[i] || keepdims;
        count *= reduced[i] ? shape->dim[i] : 1;
    }
    return count;
}

/* The exchange of a node that adds up over samples; NULL: there is none, or nobody to add to. */
static const mfm_exchange *exchange_of(const mfm_node *node)
{
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_reduction_strides(node, x, y);
    return mfm_reduces_samples(&node->share, &node->in[0]->shape, y) ? node->share.exchange : NULL;
}

static void add_ranks(const mfm_node *node, real *result)
{
    const mfm_exchange *exchange = exchange_of(node);
    if (exchange && result)
        exchange->sum_reals(exchange->self, result, (size_t)mfm_shape_count(&node->out[0]->shape));
}

real mfm_reduction_share(const mfm_node *node)
{
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    const int64_t count = mfm_reduction_strides(node, x, y);
    const bool all = mfm_reduces_samples(&node->share, &node->in[0]->shape, y);
    return (real)1 / (real)(all ? count / node->in[0]->shape.dim[0] * node->share.samples : count);
}

void mfm_reduction_scaled(const mfm_node *node, enum mfm_lane lane, real scale)
{
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_reduction_strides(node, x, y);
    mfm_reduce(&node->share, &node->in[0]->shape, mfm_in(node, 0, lane), x, NULL, NULL, scale,
               mfm_out(node, 0, lane), y, false);
    add_ranks(node, mfm_out(node, 0, lane));
}

void mfm_reduction_spread(const mfm_node *node, enum mfm_lane lane, real scale)
{
    real *to = mfm_in(node, 0, lane);
    if (!node->seeded)
        add_ranks(node, mfm_out(node, 0, lane));
    if (!to)
        return;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_reduction_strides(node, x, y);
    mfm_strided_copy(&node->in[0]->shape, mfm_out(node, 0, lane), y, scale, to, x,
                     mfm_accumulates(node, 0, lane));
}

/* ---- the rule -------------------------------------------------------------------------------- */

int mfm_reduction_setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->scratch_size = (size_t)mfm_shape_count(&node->in[0]->shape);
    return MFM_OK;
}

void mfm_reduction_sum(const mfm_node *node, const real *t, real *y)
{
    int64_t x_stride[MFM_MAX_RANK], y_stride[MFM_MAX_RANK];
    mfm_reduction_strides(node, x_stride, y_stride);
    mfm_reduce(&node->share, &node->in[0]->shape, t, x_stride, NULL, NULL, 1, y, y_stride, false);
}

void mfm_reduction_walk(const mfm_node *node, void (*function)(const mfm_reduction_row *row),
                        const mfm_reduction_row *base, bool u_is_result)
{
    const mfm_shape *shape = &node->in[0]->shape;
    int64_t x_stride[MFM_MAX_RANK], y_stride[MFM_MAX_RANK];
    mfm_reduction_strides(node, x_stride, y_stride);
    mfm_nest nest = {0};
    for (int i = 0; i < shape->rank; i++)
        mfm_nest_push(&nest, shape->dim[i], x_stride[i], y_stride[i], 0);
    mfm_nest_collapse(&nest, X);
    const mfm_tiling tiling = mfm_nest_tiling(&nest);
    const mfm_axis *line = &nest.axis[nest.rank - 2], *column = &nest.axis[nest.rank - 1];
#pragma omp parallel for if (mfm_nest_count(&nest) > MFM_PARALLEL_FROM)
    for (int64_t t = 0; t < tiling.count; t++) {
        const mfm_tile tile = mfm_nest_tile(&nest, &tiling, t);
        for (int64_t i = 0; i < tile.rows; i++) {
            const int64_t x = tile.offset[X] + i * line->stride[X];
            const int64_t y = tile.offset[Y] + i * line->stride[Y];
            mfm_reduction_row row = *base;
            row.n = tile.columns;
            row.step = column->stride[X];
            row.y_step = column->stride[Y];
            row.u_step = u_is_result ? row.y_step : row.step;
            row.x += x;
            row.dx = row.dx ? row.dx + x : NULL;
            row.to += x;
            row.y += y;
            row.dy = row.dy ? row.dy + y : NULL;
            row.u += u_is_result ? y : x;
            function(&row);
        }
    }
}

static mfm_reduction_row values(const mfm_node *node, const real *u, real *to, bool add)
{
    return (mfm_reduction_row){
        .x = mfm_in(node, 0, MFM_X), .y = mfm_out(node, 0, MFM_X), .u = u, .to = to, .add = add};
}

static void forward(const mfm_node *node)
{
    ((const mfm_reduction *)node->impl->parts)->forward(node);
}

static void jvp(const mfm_node *node)
{
    const mfm_reduction *f = node->impl->parts;
    const mfm_reduction_row row = values(node, mfm_in(node, 0, MFM_DX), node->scratch, false);
    mfm_reduction_walk(node, f->slope, &row, false);
    mfm_reduction_sum(node, node->scratch, mfm_out(node, 0, MFM_DX));
}

static void vjp(const mfm_node *node)
{
    const mfm_reduction *f = node->impl->parts;
    real *to = mfm_in(node, 0, MFM_G);
    if (!to)
        return;
    const mfm_reduction_row row =
        values(node, mfm_out(node, 0, MFM_G), to, mfm_accumulates(node, 0, MFM_G));
    mfm_reduction_walk(node, f->slope, &row, true);
}

static void vjp_t(const mfm_node *node)
{
    const mfm_reduction *f = node->impl->parts;
    real *to = mfm_in(node, 0, MFM_DG);
    if (!to)
        return;
    const real *g = mfm_out(node, 0, MFM_G), *dg = mfm_out(node, 0, MFM_DG);
    const bool add = mfm_accumulates(node, 0, MFM_DG);
    const int64_t count = mfm_shape_count(&node->in[0]->shape);
    mfm_reduction_row row = values(node, dg, to, add);
    if (dg)
        mfm_reduction_walk(node, f->slope, &row, true);
    for (int64_t i = 0; i < count && !dg && !add; i++)
        to[i] = 0;
    row.dx = mfm_in(node, 0, MFM_DX);
    row.dy = mfm_out(node, 0, MFM_DX);
    row.u = g;
    if (g && row.dx && row.dy && f->bend)
        mfm_reduction_walk(node, f->bend, &row, true);
}

const mfm_rule mfm_rule_reduction = {forward, jvp, vjp, vjp_t};
