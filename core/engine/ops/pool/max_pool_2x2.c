#include "core/engine/ops/pool/max_pool_2x2.h"

enum { PARALLEL_FROM = 16384 };

/* Input rows 2r and 2r + 1 make output row r, also across images, as these have whole windows. */
typedef struct rows {
    int64_t count, windows, channels; /* output rows of all images; windows in one */
    int64_t in, out;                  /* elements of an input row and of an output row */
    bool parallel;
} rows;

bool mfm_max_pool_is_2x2(const mfm_window *w)
{
    if (w->first != MFM_ROWS)
        return false;
    for (int axis = w->first; axis < MFM_WINDOW_AXES; axis++)
        if (w->kernel[axis] != 2 || w->stride[axis] != 2 || w->dilation[axis] != 1 ||
            w->pad_begin[axis] != 0 || w->in[axis] != 2 * w->out[axis])
            return false;
    return true;
}

static rows rows_of(const mfm_node *node)
{
    const mfm_shape *y = &node->out[0]->shape;
    return (rows){.count = y->dim[0] * y->dim[2],
                  .windows = y->dim[3],
                  .channels = y->dim[1],
                  .in = 2 * y->dim[3] * y->dim[1],
                  .out = y->dim[3] * y->dim[1],
                  .parallel = mfm_shape_count(y) >= PARALLEL_FROM};
}

/* Which tap is largest is anybody's guess to the processor: a branch on it costs more than all the
 * rest. So channels go in blocks of fixed length, which compile to vector selects; the last block
 * is moved back to end with the channels, and finds some results a second time. */
enum { LANES = 4 };

/* Where the block after the one at c begins; `channels` when that was the last. */
static inline int64_t next_block(int64_t c, int64_t channels)
{
    const int64_t next = c + LANES, last = channels - LANES;
    return next >= channels ? channels : next > last ? last : next;
}

static inline void keep_larger(real x, real number, real *y, real *tap)
{
    const bool larger = x > *y;
    *y = larger ? x : *y;
    *tap = larger ? number : *tap;
}

/* n channels of one window; its taps 0, 1 are at a, 2, 3 at b. */
static inline void largest(int n, int64_t channels, const real *a, const real *b, real *restrict y,
                           real *restrict taps)
{
#pragma omp simd
    for (int c = 0; c < n; c++) {
        real value = a[c], tap = 0;
        keep_larger(a[channels + c], 1, &value, &tap);
        keep_larger(b[c], 2, &value, &tap);
        keep_larger(b[channels + c], 3, &value, &tap);
        y[c] = value;
        taps[c] = tap;
    }
}

static void forward_row(const rows *size, const real *a, const real *b, real *y, real *taps)
{
    const int64_t channels = size->channels;
    for (int64_t i = 0; i < size->windows; i++) {
        if (channels < LANES)
            largest((int)channels, channels, a, b, y, taps);
        for (int64_t c = 0; c < channels && channels >= LANES; c = next_block(c, channels))
            largest(LANES, channels, a + c, b + c, y + c, taps + c);
        a += 2 * channels, b += 2 * channels, y += channels, taps += channels;
    }
}

void mfm_max_pool_2x2_forward(const mfm_node *node)
{
    const rows size = rows_of(node);
    const real *x = mfm_in(node, 0, MFM_X);
    real *y = mfm_out(node, 0, MFM_X), *taps = node->saved;
#pragma omp parallel for if (size.parallel)
    for (int64_t r = 0; r < size.count; r++) {
        const real *a = x + 2 * r * size.in;
        forward_row(&size, a, a + size.in, y + r * size.out, taps + r * size.out);
    }
}

static inline void pick(int n, int64_t channels, const real *a, const real *b,
                        const real *restrict taps, real *restrict dy)
{
#pragma omp simd
    for (int c = 0; c < n; c++) {
        const real upper = taps[c] == 1 ? a[channels + c] : a[c];
        const real lower = taps[c] == 3 ? b[channels + c] : b[c];
        dy[c] = taps[c] < 2 ? upper : lower;
    }
}

static void jvp_row(const rows *size, const real *a, const real *b, const real *taps, real *dy)
{
    const int64_t channels = size->channels;
    for (int64_t i = 0; i < size->windows; i++) {
        if (channels < LANES)
            pick((int)channels, channels, a, b, taps, dy);
        for (int64_t c = 0; c < channels && channels >= LANES; c = next_block(c, channels))
            pick(LANES, channels, a + c, b + c, taps + c, dy + c);
        a += 2 * channels, b += 2 * channels, taps += channels, dy += channels;
    }
}

void mfm_max_pool_2x2_jvp(const mfm_node *node)
{
    const rows size = rows_of(node);
    const real *dx = mfm_in(node, 0, MFM_DX), *taps = node->saved;
    real *dy = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (size.parallel)
    for (int64_t r = 0; r < size.count; r++) {
        const real *a = dx + 2 * r * size.in;
        jvp_row(&size, a, a + size.in, taps + r * size.out, dy + r * size.out);
    }
}

static inline void put(int n, int64_t channels, const real *restrict g, const real *restrict taps,
                       real *a, real *b)
{
#pragma omp simd
    for (int c = 0; c < n; c++) {
        const real value = g[c], tap = taps[c];
        a[c] = tap == 0 ? value : 0;
        a[channels + c] = tap == 1 ? value : 0;
        b[c] = tap == 2 ? value : 0;
        b[channels + c] = tap == 3 ? value : 0;
    }
}

static void adjoint_row(const rows *size, const real *g, const real *taps, real *a, real *b)
{
    const int64_t channels = size->channels;
    for (int64_t i = 0; i < size->windows; i++) {
        if (channels < LANES)
            put((int)channels, channels, g, taps, a, b);
        for (int64_t c = 0; c < channels && channels >= LANES; c = next_block(c, channels))
            put(LANES, channels, g + c, taps + c, a + c, b + c);
        a += 2 * channels, b += 2 * channels, g += channels, taps += channels;
    }
}

void mfm_max_pool_2x2_adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const rows size = rows_of(node);
    const real *g = mfm_out(node, 0, lane), *taps = node->saved;
    real *gx = mfm_in(node, 0, lane);
#pragma omp parallel for if (size.parallel)
    for (int64_t r = 0; r < size.count; r++) {
        real *a = gx + 2 * r * size.in;
        adjoint_row(&size, g + r * size.out, taps + r * size.out, a, a + size.in);
    }
}
