/*
 * GlobalMaxPool (ONNX 1, 22): the largest value of each channel, the first of equal ones. Piece by
 * piece y = x[place], so tangents are picked from, and adjoints put to, the place that forward
 * saved. A place is a real, exact up to the limit checked with the shape.
 */
#include <string.h>

#include "core/engine/ops/pool/global_pool.h"

enum { MAX_AREA = 1 << 24, PARALLEL_FROM = 16384 };

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const int status = mfm_infer_global_pool(ctx, node);
    if (status)
        return status;
    const int64_t area = mfm_global_pool_area(&node->in[0]->shape);
    if (area > MAX_AREA)
        return mfm_infer_fail(ctx, node, "%lld values a channel: at most %d", (long long)area,
                              MAX_AREA);
    return MFM_OK;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->saved_size = (size_t)mfm_shape_count(&node->out[0]->shape);
    return MFM_OK;
}

/* One image as area places of c channels; channels lie innermost in rank 4 only. */
typedef struct layout {
    int64_t n, c, area, count, place_step, channel_step;
} layout;

static layout layout_of(const mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape;
    layout l = {.n = x->dim[0], .c = x->dim[1], .area = mfm_global_pool_area(x)};
    l.count = l.n * l.c * l.area;
    l.place_step = x->rank == 4 ? l.c : 1;
    l.channel_step = x->rank == 4 ? 1 : l.area;
    return l;
}

static void forward(const mfm_node *node)
{
    const layout l = layout_of(node);
    const real *x = mfm_in(node, 0, MFM_X);
    real *y = mfm_out(node, 0, MFM_X), *places = node->saved;
#pragma omp parallel for if (l.count >= PARALLEL_FROM)
    for (int64_t n = 0; n < l.n; n++) {
        const real *image = x + n * l.c * l.area;
        for (int64_t c = 0; c < l.c; c++) {
            y[n * l.c + c] = image[c * l.channel_step];
            places[n * l.c + c] = 0;
        }
        for (int64_t i = 1; i < l.area; i++)
            for (int64_t c = 0; c < l.c; c++) {
                const real value = image[i * l.place_step + c * l.channel_step];
                const bool larger = value > y[n * l.c + c];
                y[n * l.c + c] = larger ? value : y[n * l.c + c];
                places[n * l.c + c] = larger ? (real)i : places[n * l.c + c];
            }
    }
}

/* Where the maximum of result i came from. */
static int64_t source(const layout *l, const real *places, int64_t i)
{
    return i / l->c * l->c * l->area + i % l->c * l->channel_step +
           (int64_t)places[i] * l->place_step;
}

static void jvp(const mfm_node *node)
{
    const layout l = layout_of(node);
    const real *dx = mfm_in(node, 0, MFM_DX);
    real *dy = mfm_out(node, 0, MFM_DX);
    for (int64_t i = 0; i < l.n * l.c; i++)
        dy[i] = dx[source(&l, node->saved, i)];
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const layout l = layout_of(node);
    const real *g = mfm_out(node, 0, lane);
    real *gx = mfm_in(node, 0, lane);
    if (!gx)
        return;
    if (!mfm_accumulates(node, 0, lane))
        memset(gx, 0, (size_t)l.count * sizeof *gx);
    for (int64_t i = 0; i < l.n * l.c; i++)
        gx[source(&l, node->saved, i)] += g[i];
}

static void vjp(const mfm_node *node)
{
    adjoint(node, MFM_G);
}

static void vjp_t(const mfm_node *node)
{
    adjoint(node, MFM_DG);
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,4]", "[1,1,1,1]",   "[3,5,1,2]",
                                      "[2,3,7]",   "[2,2,3,2,2]", NULL};

const mfm_op mfm_op_global_max_pool = {
    .name = "GlobalMaxPool",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_LARGEST,
    .batch = MFM_BATCH_FIRST,
    .summary = "largest value of each channel",
    .samples = samples,
};

const mfm_impl mfm_cpu_global_max_pool = {
    .op = &mfm_op_global_max_pool,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_NONE,
};
