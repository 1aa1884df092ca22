/*
 * MaxPool (ONNX 1, 8, 10, 11, 12, 22) over images, lines and volumes: the largest value of each
 * window, the first of equal ones; padding never wins. Piece by piece y = x[tap], so tangents are
 * picked from, and adjoints added to, the tap that forward saved as its number in the window, row
 * by row. The second output, Indices, is not supported, so storage_order has no effect.
 *
 * All passes go window by window and tap by tap, with the channels as the vector loop; windows of 2
 * by 2 side by side have their own loops (max_pool_2x2.h).
 */
#include <string.h>

#include "core/engine/ops/pool/max_pool_2x2.h"

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

/* A tap's number in its window. */
static inline int64_t number_of(const mfm_window *w, int64_t d, int64_t i, int64_t j)
{
    return (d * w->kernel[MFM_ROWS] + i) * w->kernel[MFM_COLUMNS] + j;
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

static void forward_window(const mfm_window *w, int64_t channels, const mfm_place *p,
                           const real *image, real *y, real *taps)
{
    const mfm_taps *t = p->taps;
    const int64_t d0 = t[MFM_DEPTH].first, i0 = t[MFM_ROWS].first, j0 = t[MFM_COLUMNS].first;
    const real first = (real)number_of(w, d0, i0, j0);
    memcpy(y, image + mfm_window_source(w, p, d0, i0, j0) * channels, (size_t)channels * sizeof *y);
    for (int64_t c = 0; c < channels; c++)
        taps[c] = first;
    for (int64_t d = d0; d < t[MFM_DEPTH].end; d++)
        for (int64_t i = i0; i < t[MFM_ROWS].end; i++)
            for (int64_t j = j0; j < t[MFM_COLUMNS].end; j++)
                largest(channels, image + mfm_window_source(w, p, d, i, j) * channels,
                        (real)number_of(w, d, i, j), y, taps);
}

static void forward(const mfm_node *node)
{
    const mfm_window *w = node->kernel;
    if (mfm_max_pool_is_2x2(w)) {
        mfm_max_pool_2x2_forward(node);
        return;
    }
    const mfm_window_images v = mfm_window_images_of(w, &node->in[0]->shape);
    const int64_t columns = w->out[MFM_COLUMNS], rows = v.out / columns;
    const real *x = mfm_in(node, 0, MFM_X);
    real *y = mfm_out(node, 0, MFM_X), *taps = node->saved;
#pragma omp parallel for if (v.parallel)
    for (int64_t r = 0; r < v.images * rows; r++)
        for (int64_t i = 0; i < columns; i++) {
            const mfm_place p = mfm_window_place(w, r % rows * columns + i);
            const int64_t at = (r * columns + i) * v.channels;
            forward_window(w, v.channels, &p, x + r / rows * v.in * v.channels, y + at, taps + at);
        }
}

/* dy = dx at the saved tap */
static void pick(const mfm_window *w, int64_t channels, const mfm_place *p, const real *image,
                 const real *restrict taps, real *restrict dy)
{
    const mfm_taps *t = p->taps;
    memset(dy, 0, (size_t)channels * sizeof *dy);
    for (int64_t d = t[MFM_DEPTH].first; d < t[MFM_DEPTH].end; d++)
        for (int64_t i = t[MFM_ROWS].first; i < t[MFM_ROWS].end; i++)
            for (int64_t j = t[MFM_COLUMNS].first; j < t[MFM_COLUMNS].end; j++) {
                const real *restrict from = image + mfm_window_source(w, p, d, i, j) * channels;
                const real number = (real)number_of(w, d, i, j);
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
    const mfm_window_images v = mfm_window_images_of(w, &node->in[0]->shape);
    const int64_t columns = w->out[MFM_COLUMNS], rows = v.out / columns;
    const real *dx = mfm_in(node, 0, MFM_DX), *taps = node->saved;
    real *dy = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (v.parallel)
    for (int64_t r = 0; r < v.images * rows; r++)
        for (int64_t i = 0; i < columns; i++) {
            const mfm_place p = mfm_window_place(w, r % rows * columns + i);
            const int64_t at = (r * columns + i) * v.channels;
            pick(w, v.channels, &p, dx + r / rows * v.in * v.channels, taps + at, dy + at);
        }
}

static void put(const mfm_window *w, int64_t channels, const mfm_place *p, const real *restrict g,
                const real *restrict taps, real *image)
{
    const mfm_taps *t = p->taps;
    for (int64_t d = t[MFM_DEPTH].first; d < t[MFM_DEPTH].end; d++)
        for (int64_t i = t[MFM_ROWS].first; i < t[MFM_ROWS].end; i++)
            for (int64_t j = t[MFM_COLUMNS].first; j < t[MFM_COLUMNS].end; j++) {
                real *restrict to = image + mfm_window_source(w, p, d, i, j) * channels;
                const real number = (real)number_of(w, d, i, j);
                for (int64_t c = 0; c < channels; c++)
                    to[c] += taps[c] == number ? g[c] : 0;
            }
}

/* Windows may overlap: one thread does an image. */
static void scatter(const mfm_node *node, enum mfm_lane lane)
{
    const mfm_window *w = node->kernel;
    const mfm_window_images v = mfm_window_images_of(w, &node->in[0]->shape);
    const int64_t size = v.in * v.channels;
    const real *g = mfm_out(node, 0, lane), *taps = node->saved;
    real *gx = mfm_in(node, 0, lane);
    const bool add = mfm_accumulates(node, 0, lane);
#pragma omp parallel for if (v.parallel)
    for (int64_t n = 0; n < v.images; n++) {
        if (!add)
            memset(gx + n * size, 0, (size_t)size * sizeof *gx);
        for (int64_t i = 0; i < v.out; i++) {
            const mfm_place p = mfm_window_place(w, i);
            const int64_t at = (n * v.out + i) * v.channels;
            put(w, v.channels, &p, g + at, taps + at, gx + n * size);
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
    "[2,2,2,3] kernel_shape=5,5 strides=5,5 ceil_mode=1",
    "[1,3,7,6] kernel_shape=3,2 dilations=2,3",
    "[1,1,1,1] kernel_shape=1,1",
    "[3,5,3,2] kernel_shape=3,2",
    "[2,1,5,5] kernel_shape=3,3 strides=2,2 auto_pad=SAME_UPPER",
    "[2,2,4,5] kernel_shape=2,2 auto_pad=SAME_LOWER",
    "[1,2,5,6] kernel_shape=3,2 strides=2,1 auto_pad=VALID storage_order=1",
    "[1,2,4,4] kernel_shape=2,2 opset=1",
    "[2,3,7] kernel_shape=3 strides=2 pads=1,1",
    "[2,3,8] kernel_shape=2 strides=2",
    "[1,2,3,4,5] kernel_shape=2,3,2 strides=1,2,2 pads=0,1,1,1,1,0",
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
