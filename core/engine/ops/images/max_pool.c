/*
 * MaxPool (ONNX 1, 8, 10, 11, 12, 22) over images: the largest value of each window, the first of
 * equal ones; padding never wins. Piece by piece y = x[tap], so tangents are picked from, and
 * adjoints added to, the tap that forward saved as its number in the window, row by row. The second
 * output, Indices, is not supported, so storage_order has no effect.
 *
 * All passes go window by window and tap by tap, with the channels as the vector loop; windows of 2
 * by 2 side by side have their own loops (max_pool_2x2.h).
 */
#include <string.h>

#include "core/engine/ops/images/max_pool_2x2.h"

enum { PARALLEL_FROM = 16384 };

typedef struct max_pool_attr {
    mfm_window_attr window;
    int64_t storage_order;
} max_pool_attr;

static const mfm_attr_def attrs[] = {
    MFM_WINDOW_ATTRS,
    {.name = "kernel_shape",
     .type = MFM_INTS,
     .offset = offsetof(mfm_window_attr, kernel_shape),
     .required = true},
    {.name = "ceil_mode", .type = MFM_INT, .offset = offsetof(mfm_window_attr, ceil_mode)},
    {.name = "storage_order", .type = MFM_INT, .offset = offsetof(max_pool_attr, storage_order)},
    {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    if (node->n_out > 1 && node->out[1])
        return mfm_infer_fail(ctx, node, "output Indices: is used: only the first output may be");
    return mfm_window_infer_pool(ctx, node);
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    node->saved_size = (size_t)mfm_shape_count(&node->out[0]->shape);
    return mfm_window_setup(ctx, node);
}

/* One window: `channels` results at `result`, taps rows.first.. by columns.first.. inside. */
typedef struct place {
    int64_t image, row, column; /* of tap 0, may lie outside */
    int64_t result;
    mfm_taps rows, columns;
} place;

static place place_at(const mfm_window *w, int64_t channels, int64_t image_row, int64_t column)
{
    const int64_t row = image_row % w->out[0];
    return (place){.image = image_row / w->out[0] * w->in[0] * w->in[1] * channels,
                   .row = mfm_window_start(w, 0, row),
                   .column = mfm_window_start(w, 1, column),
                   .result = (image_row * w->out[1] + column) * channels,
                   .rows = mfm_window_inside(w, 0, row),
                   .columns = mfm_window_inside(w, 1, column)};
}

static int64_t source(const mfm_window *w, const place *p, int64_t channels, int64_t i, int64_t j)
{
    const int64_t row = p->row + i * w->dilation[0], column = p->column + j * w->dilation[1];
    return p->image + (row * w->in[1] + column) * channels;
}

static void largest(int64_t channels, const real *restrict x, real number, real *restrict y,
                    real *restrict taps)
{
    for (int64_t c = 0; c < channels; c++) {
        const bool larger = x[c] > y[c];
        y[c] = larger ? x[c] : y[c];
        taps[c] = larger ? number : taps[c];
    }
}

static void forward_window(const mfm_window *w, int64_t channels, const place *p, const real *x,
                           real *y, real *taps)
{
    const real first = (real)(p->rows.first * w->kernel[1] + p->columns.first);
    memcpy(y, x + source(w, p, channels, p->rows.first, p->columns.first),
           (size_t)channels * sizeof *y);
    for (int64_t c = 0; c < channels; c++)
        taps[c] = first;
    for (int64_t i = p->rows.first; i < p->rows.end; i++)
        for (int64_t j = p->columns.first; j < p->columns.end; j++)
            largest(channels, x + source(w, p, channels, i, j), (real)(i * w->kernel[1] + j), y,
                    taps);
}

static void forward(const mfm_node *node)
{
    const mfm_window *w = node->kernel;
    if (mfm_max_pool_is_2x2(w)) {
        mfm_max_pool_2x2_forward(node);
        return;
    }
    const mfm_shape *shape = &node->out[0]->shape;
    const int64_t channels = shape->dim[1], rows = shape->dim[0] * w->out[0];
    const real *x = mfm_in(node, 0, MFM_X);
    real *y = mfm_out(node, 0, MFM_X), *taps = node->saved;
#pragma omp parallel for if (mfm_shape_count(shape) >= PARALLEL_FROM)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < w->out[1]; i++) {
            const place p = place_at(w, channels, r, i);
            forward_window(w, channels, &p, x, y + p.result, taps + p.result);
        }
}

/* dy = dx at the saved tap */
static void pick(const mfm_window *w, int64_t channels, const place *p, const real *dx,
                 const real *restrict taps, real *restrict dy)
{
    memset(dy, 0, (size_t)channels * sizeof *dy);
    for (int64_t i = p->rows.first; i < p->rows.end; i++)
        for (int64_t j = p->columns.first; j < p->columns.end; j++) {
            const real *restrict from = dx + source(w, p, channels, i, j);
            const real number = (real)(i * w->kernel[1] + j);
            for (int64_t c = 0; c < channels; c++)
                dy[c] = taps[c] == number ? from[c] : dy[c];
        }
}

static void jvp(const mfm_node *node)
{
    const mfm_window *w = node->kernel;
    if (mfm_max_pool_is_2x2(w)) {
        mfm_max_pool_2x2_jvp(node);
        return;
    }
    const mfm_shape *shape = &node->out[0]->shape;
    const int64_t channels = shape->dim[1], rows = shape->dim[0] * w->out[0];
    const real *dx = mfm_in(node, 0, MFM_DX), *taps = node->saved;
    real *dy = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (mfm_shape_count(shape) >= PARALLEL_FROM)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < w->out[1]; i++) {
            const place p = place_at(w, channels, r, i);
            pick(w, channels, &p, dx, taps + p.result, dy + p.result);
        }
}

static void put(const mfm_window *w, int64_t channels, const place *p, const real *restrict g,
                const real *restrict taps, real *gx)
{
    for (int64_t i = p->rows.first; i < p->rows.end; i++)
        for (int64_t j = p->columns.first; j < p->columns.end; j++) {
            real *restrict to = gx + source(w, p, channels, i, j);
            const real number = (real)(i * w->kernel[1] + j);
            for (int64_t c = 0; c < channels; c++)
                to[c] += taps[c] == number ? g[c] : 0;
        }
}

/* Windows may overlap: one thread does an image. */
static void scatter(const mfm_node *node, enum mfm_lane lane)
{
    const mfm_window *w = node->kernel;
    const int64_t channels = node->in[0]->shape.dim[1], images = node->in[0]->shape.dim[0];
    const int64_t size = w->in[0] * w->in[1] * channels;
    const real *g = mfm_out(node, 0, lane), *taps = node->saved;
    real *gx = mfm_in(node, 0, lane);
    const bool add = mfm_accumulates(node, 0, lane);
#pragma omp parallel for if (images * size >= PARALLEL_FROM)
    for (int64_t n = 0; n < images; n++) {
        if (!add)
            memset(gx + n * size, 0, (size_t)size * sizeof *gx);
        for (int64_t r = n * w->out[0]; r < (n + 1) * w->out[0]; r++)
            for (int64_t i = 0; i < w->out[1]; i++) {
                const place p = place_at(w, channels, r, i);
                put(w, channels, &p, g + p.result, taps + p.result, gx);
            }
    }
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    if (!mfm_in(node, 0, lane))
        return;
    if (mfm_max_pool_is_2x2(node->kernel) && !mfm_accumulates(node, 0, lane))
        mfm_max_pool_2x2_adjoint(node, lane);
    else
        scatter(node, lane);
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
static const mfm_port outputs[] = {
    {"Y", MFM_DATA, false, false}, {"Indices", MFM_INDEX, true, false}, {0}};

static const char *const samples[] = {
    "[2,3,4,6] kernel_shape=2,2 strides=2,2",
    "[2,6,4,6] kernel_shape=2,2 strides=2,2",
    "[1,9,2,4] kernel_shape=2,2 strides=2,2",
    "[2,3,5,5] kernel_shape=2,2 strides=2,2 ceil_mode=1",
    "[2,2,5,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1",
    "[1,2,5,5] kernel_shape=3,3 pads=0,1,2,1",
    "[2,2,4,4] kernel_shape=2,2 strides=3,3 pads=0,0,1,1 ceil_mode=1",
    "[1,3,7,6] kernel_shape=3,2 dilations=2,3",
    "[1,1,1,1] kernel_shape=1,1",
    "[3,5,3,2] kernel_shape=3,2",
    "[2,1,5,5] kernel_shape=3,3 strides=2,2 auto_pad=SAME_UPPER",
    "[2,2,4,5] kernel_shape=2,2 auto_pad=SAME_LOWER",
    "[1,2,5,6] kernel_shape=3,2 strides=2,1 auto_pad=VALID storage_order=1",
    "[1,2,4,4] kernel_shape=2,2 opset=1",
    NULL};

const mfm_op mfm_op_max_pool = {
    .name = "MaxPool",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(max_pool_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_LARGEST,
    .batch = MFM_BATCH_FIRST,
    .summary = "largest value of each window of an image",
    .samples = samples,
};

const mfm_impl mfm_cpu_max_pool = {
    .op = &mfm_op_max_pool,
    .backend = MFM_CPU,
    .setup = setup,
    .release = mfm_window_release,
    .rule = &rule,
    .reads = MFM_READS_NONE,
};
