/* GlobalAveragePool (ONNX 1, 22): the mean over all axes after the channels, which stay with length
 * 1. The adjoint spreads g / area over them. */
#include <string.h>

#include "core/engine/ops/pool/global_pool.h"
#include "core/engine/rules.h"

enum { PARALLEL_FROM = 16384, COLUMNS = 32 };

/* Images [count], each [area, channels] in memory. Channels lie innermost in rank 4 only; elsewhere
 * each is taken for an image of one. */
typedef struct images {
    int64_t count, area, channels;
    bool parallel;
} images;

static images images_of(const mfm_node *node)
{
    const mfm_shape *x = &node->in[0]->shape;
    const int64_t inner = x->rank == 4 ? x->dim[1] : 1;
    return (images){.count = x->dim[0] * x->dim[1] / inner,
                    .area = mfm_global_pool_area(x),
                    .channels = inner,
                    .parallel = mfm_shape_count(x) >= PARALLEL_FROM};
}

/* n <= COLUMNS neighbouring channels of one image, summed in double. */
static inline void mean(const images *size, int64_t n, const real *x, real *y)
{
    double sum[COLUMNS] = {0};
    for (int64_t i = 0; i < size->area; i++, x += size->channels)
#pragma omp simd
        for (int64_t c = 0; c < n; c++)
            sum[c] += (double)x[c];
    for (int64_t c = 0; c < n; c++)
        y[c] = (real)(sum[c] / (double)size->area);
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const images size = images_of(node);
    const real *x = mfm_in(node, 0, lane);
    real *y = mfm_out(node, 0, lane);
#pragma omp parallel for if (size.parallel)
    for (int64_t i = 0; i < size.count; i++) {
        const real *image = x + i * size.area * size.channels;
        real *to = y + i * size.channels;
        int64_t c = 0;
        for (; c + COLUMNS <= size.channels; c += COLUMNS)
            mean(&size, COLUMNS, image + c, to + c);
        if (c < size.channels)
            mean(&size, size.channels - c, image + c, to + c);
    }
}

static void spread(const images *size, real share, const real *restrict g, real *restrict gx,
                   bool add)
{
    for (int64_t i = 0; i < size->area; i++, gx += size->channels)
        for (int64_t c = 0; c < size->channels; c++)
            gx[c] = (add ? gx[c] : 0) + share * g[c];
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const images size = images_of(node);
    const int64_t length = size.area * size.channels;
    const real *g = mfm_out(node, 0, lane);
    real *gx = mfm_in(node, 0, lane);
    const bool add = mfm_accumulates(node, 0, lane);
    const real share = 1 / (real)size.area;
    if (gx && !g && !add)
        memset(gx, 0, (size_t)(size.count * length) * sizeof *gx);
    if (!gx || !g)
        return;
#pragma omp parallel for if (size.parallel)
    for (int64_t i = 0; i < size.count; i++)
        spread(&size, share, g + i * size.channels, gx + i * length, add);
}

static const mfm_linear parts = {apply, adjoint};
static const mfm_port inputs[] = {{"X", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[2,3,5,4]",   "[1,1,1,1]",  "[3,5,1,2]", "[2,3,7]",
                                      "[2,2,3,2,2]", "[2,35,3,3]", NULL};

const mfm_op mfm_op_global_average_pool = {
    .name = "GlobalAveragePool",
    .domain = "",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = mfm_infer_global_pool,
    .linear = true,
    .batch = MFM_BATCH_FIRST,
    .summary = "mean of each channel",
    .samples = samples,
};

const mfm_impl mfm_cpu_global_average_pool = {
    .op = &mfm_op_global_average_pool,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
