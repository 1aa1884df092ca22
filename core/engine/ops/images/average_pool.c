/*
 * AveragePool (ONNX 1, 7, 10, 11, 19, 22) over images: the mean of each window. Without
 * count_include_pad the mean is over the taps inside the image; with it, also over those in the
 * given padding, but not over taps that ceil_mode lets hang out beyond that. The adjoint adds
 * g / count to every tap.
 */
#include <string.h>

#include "core/engine/ops/images/window.h"
#include "core/engine/rules.h"

enum { PARALLEL_FROM = 16384 };

typedef struct average_pool_attr {
    mfm_window_attr window;
    int64_t count_include_pad;
} average_pool_attr;

static const mfm_attr_def attrs[] = {
    MFM_WINDOW_ATTRS,
    {.name = "kernel_shape",
     .type = MFM_INTS,
     .offset = offsetof(mfm_window_attr, kernel_shape),
     .required = true},
    {.name = "ceil_mode", .type = MFM_INT, .offset = offsetof(mfm_window_attr, ceil_mode)},
    {.name = "count_include_pad",
     .type = MFM_INT,
     .offset = offsetof(average_pool_attr, count_include_pad)},
    {0}};

/* Taps of one axis that count. */
static int64_t counted(const mfm_node *node, int axis, int64_t place)
{
    const mfm_window *w = node->kernel;
    const bool padding = ((const average_pool_attr *)node->attr)->count_include_pad != 0;
    const int64_t low = padding ? -w->pad_begin[axis] : 0;
    const int64_t high = w->in[axis] + (padding ? w->pad_end[axis] : 0);
    const mfm_taps taps = mfm_window_taps(w, axis, place, low, high);
    return taps.end - taps.first;
}

/* One window and the factor of its taps. */
typedef struct place {
    int64_t row, column; /* of tap 0, may lie outside */
    mfm_taps rows, columns;
    real share;
} place;

static place place_at(const mfm_node *node, int64_t row, int64_t column)
{
    const mfm_window *w = node->kernel;
    return (place){.row = mfm_window_start(w, 0, row),
                   .column = mfm_window_start(w, 1, column),
                   .rows = mfm_window_inside(w, 0, row),
                   .columns = mfm_window_inside(w, 1, column),
                   .share = 1 / (real)(counted(node, 0, row) * counted(node, 1, column))};
}

static int64_t source(const mfm_window *w, const place *p, int64_t channels, int64_t i, int64_t j)
{
    const int64_t row = p->row + i * w->dilation[0], column = p->column + j * w->dilation[1];
    return (row * w->in[1] + column) * channels;
}

static void mean(const mfm_window *w, int64_t channels, const place *p, const real *image,
                 real *restrict y)
{
    memset(y, 0, (size_t)channels * sizeof *y);
    for (int64_t i = p->rows.first; i < p->rows.end; i++)
        for (int64_t j = p->columns.first; j < p->columns.end; j++) {
            const real *restrict x = image + source(w, p, channels, i, j);
            for (int64_t c = 0; c < channels; c++)
                y[c] += x[c];
        }
    for (int64_t c = 0; c < channels; c++)
        y[c] *= p->share;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const mfm_window *w = node->kernel;
    const mfm_shape *shape = &node->out[0]->shape;
    const int64_t channels = shape->dim[1], rows = shape->dim[0] * w->out[0];
    const real *x = mfm_in(node, 0, lane);
    real *y = mfm_out(node, 0, lane);
#pragma omp parallel for if (mfm_shape_count(shape) >= PARALLEL_FROM)
    for (int64_t r = 0; r < rows; r++) {
        const real *image = x + r / w->out[0] * w->in[0] * w->in[1] * channels;
        for (int64_t i = 0; i < w->out[1]; i++) {
            const place p = place_at(node, r % w->out[0], i);
            mean(w, channels, &p, image, y + (r * w->out[1] + i) * channels);
        }
    }
}

static void spread(const mfm_window *w, int64_t channels, const place *p, const real *restrict g,
                   real *image)
{
    for (int64_t i = p->rows.first; i < p->rows.end; i++)
        for (int64_t j = p->columns.first; j < p->columns.end; j++) {
            real *restrict gx = image + source(w, p, channels, i, j);
            for (int64_t c = 0; c < channels; c++)
                gx[c] += p->share * g[c];
        }
}

/* Windows may overlap: one thread does an image. */
static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const mfm_window *w = node->kernel;
    const int64_t channels = node->in[0]->shape.dim[1], images = node->in[0]->shape.dim[0];
    const int64_t size = w->in[0] * w->in[1] * channels, windows = w->out[0] * w->out[1];
    const real *g = mfm_out(node, 0, lane);
    real *gx = mfm_in(node, 0, lane);
    if (!gx)
        return;
    const bool add = mfm_accumulates(node, 0, lane);
#pragma omp parallel for if (images * size >= PARALLEL_FROM)
    for (int64_t n = 0; n < images; n++) {
        if (!add)
            memset(gx + n * size, 0, (size_t)size * sizeof *gx);
        for (int64_t i = 0; i < windows; i++) {
            const place p = place_at(node, i / w->out[1], i % w->out[1]);
            spread(w, channels, &p, g + (n * windows + i) * channels, gx + n * size);
        }
    }
}

static const mfm_linear parts = {apply, adjoint};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {
    "[2,3,4,6] kernel_shape=2,2 strides=2,2",
    "[2,3,5,5] kernel_shape=2,2 strides=2,2 ceil_mode=1",
    "[2,2,5,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1",
    "[2,2,5,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1 count_include_pad=1",
    "[1,2,6,6] kernel_shape=3,3 strides=2,2 pads=0,0,1,1 ceil_mode=1 count_include_pad=1",
    "[2,2,4,4] kernel_shape=2,2 strides=3,3 pads=0,0,1,1 ceil_mode=1",
    "[1,3,7,6] kernel_shape=3,2 dilations=2,3 pads=1,0,1,2",
    "[1,3,7,6] kernel_shape=3,2 dilations=2,3 pads=1,0,1,2 count_include_pad=1",
    "[1,1,1,1] kernel_shape=1,1",
    "[3,5,3,2] kernel_shape=3,2",
    "[2,1,5,5] kernel_shape=3,3 strides=2,2 auto_pad=SAME_UPPER",
    "[2,2,4,5] kernel_shape=2,2 auto_pad=SAME_LOWER count_include_pad=1",
    "[1,2,5,6] kernel_shape=3,2 strides=2,1 auto_pad=VALID",
    "[1,2,4,4] kernel_shape=2,2 opset=1",
    NULL};

const mfm_op mfm_op_average_pool = {
    .name = "AveragePool",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(average_pool_attr),
    .shape = mfm_window_infer_pool,
    .linear = true,
    .batch = MFM_BATCH_FIRST,
    .summary = "mean of each window of an image",
    .samples = samples,
};

const mfm_impl mfm_cpu_average_pool = {
    .op = &mfm_op_average_pool,
    .backend = MFM_CPU,
    .setup = mfm_window_setup,
    .release = mfm_window_release,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
