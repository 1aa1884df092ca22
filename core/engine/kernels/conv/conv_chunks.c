#include "core/engine/kernels/conv/conv_chunks.h"

#include <omp.h>

#include "core/engine/kernels/conv/conv_shape.h"

/* Chunks have samples / MFM_CHUNKS samples, or one more. */
enum { FEW, MANY, LENGTHS };

/* Adding up goes by blocks that stay in the first-level cache. */
enum { BLOCK = 1024 };

struct mfm_conv_chunks {
    const mfm_conv_impl *impl;
    mfm_share share;
    bool at_once;             /* the samples are one chunk, in all threads: as the library likes */
    int64_t length[LENGTHS];  /* samples of a chunk; 0: there is no such chunk */
    int64_t image, result;    /* reals of a sample */
    size_t count;             /* reals of a sum, in the implementation's form */
    int64_t weights;          /* reals of the weights */
    int units, size;          /* parts of the tree that run in parallel, and chunks of each */
    int levels;               /* sums that a unit has in hand at a time */
    size_t sum, own;          /* reals of a sum; of a unit's scratch behind its sums */
    void *(*states)[LENGTHS]; /* [units] */
    const void *any;          /* one of them */
};

static int64_t length_of(const mfm_share *share, int chunk)
{
    return mfm_chunk_begin(share->samples, chunk + 1) - mfm_chunk_begin(share->samples, chunk);
}

/* As many as threads, where these are a power of two; else single chunks, to be dealt out. */
static int count_units(int chunks)
{
    const int threads = omp_get_max_threads();
    const bool even = (threads & (threads - 1)) == 0;
    return even && threads < chunks ? threads : chunks;
}

/* With one thread in force, since each will run in one, unless it is all there is. The form of sums
 * does not depend on the number of samples. */
static int make_states(mfm_ctx *ctx, mfm_conv_chunks *c, const mfm_conv_shape *shape)
{
    const int threads = omp_get_max_threads();
    int status = MFM_OK;
    omp_set_num_threads(c->at_once ? threads : 1);
    for (int chunk = c->share.first; chunk < c->share.end && !status; chunk++) {
        mfm_conv_shape part = *shape;
        part.n = length_of(&c->share, chunk);
        if (!c->at_once)
            part.share = (mfm_share){.samples = c->share.samples, .first = chunk, .end = chunk + 1};
        const int which = part.n > c->share.samples / MFM_CHUNKS ? MANY : FEW;
        void **state = &c->states[(chunk - c->share.first) / c->size][which];
        if (part.n == 0 || *state)
            continue;
        status = c->impl->make(ctx, &part, 1u << MFM_CONV_WEIGHTS, state);
        if (status)
            break;
        const size_t own = mfm_conv_aligned(c->impl->scratch(*state));
        c->own = own > c->own ? own : c->own;
        c->count = c->impl->weights_sum ? c->impl->weights_sum(*state) : (size_t)c->weights;
        c->any = *state;
    }
    omp_set_num_threads(threads);
    return status;
}

int mfm_conv_chunks_new(mfm_ctx *ctx, const mfm_conv_impl *impl, const mfm_conv_shape *shape,
                        mfm_conv_chunks **chunks)
{
    mfm_conv_chunks *c = *chunks = mfm_alloc(ctx, 1, sizeof *c);
    if (!c)
        return MFM_ENOMEM;
    c->impl = impl;
    c->share = shape->share.samples ? shape->share : mfm_share_whole(shape->n);
    c->at_once = c->share.by_threads && impl->dispatches;
    if (c->at_once) /* one chunk of as many batches as there are chunks */
        c->share = (mfm_share){.samples = MFM_CHUNKS * shape->n, .end = 1};
    const mfm_conv_depth flat = {.in = 1, .out = 1, .kernel = 1};
    const mfm_conv_depth *depth = shape->row_major ? &shape->depth : &flat;
    c->image = mfm_conv_image_count(shape) / shape->n * depth->in;
    c->result = mfm_conv_result_count(shape) / shape->n * depth->out;
    c->weights = mfm_conv_weight_count(shape) * depth->kernel;
    c->units = count_units(c->share.end - c->share.first);
    c->size = (c->share.end - c->share.first) / c->units;
    for (c->levels = 1; 1 << (c->levels - 1) < c->size;)
        c->levels++;
    c->states = mfm_alloc(ctx, (size_t)c->units, sizeof *c->states);
    const int status = c->states ? make_states(ctx, c, shape) : MFM_ENOMEM;
    c->sum = mfm_conv_aligned(c->count);
    if (status) {
        mfm_conv_chunks_free(ctx, c);
        *chunks = NULL;
    }
    return status;
}

void mfm_conv_chunks_free(mfm_ctx *ctx, mfm_conv_chunks *c)
{
    for (int i = 0; c && c->states && i < c->units; i++)
        for (int k = 0; k < LENGTHS; k++)
            c->impl->release(ctx, c->states[i][k]);
    if (c)
        mfm_free(ctx, c->states);
    mfm_free(ctx, c);
}

/* For each unit its sums and what the implementation uses. */
static size_t unit_scratch(const mfm_conv_chunks *c)
{
    return (size_t)c->levels * c->sum + c->own;
}

size_t mfm_conv_chunks_scratch(const mfm_conv_chunks *c)
{
    return (size_t)c->units * unit_scratch(c);
}

/* ---- running -------------------------------------------------------------------------------- */

/* A call, and the unit at hand. */
typedef struct work {
    const mfm_conv_chunks *c;
    const real *gy, *x;
    int unit;
    real *own;
} work;

static bool has_samples(const mfm_conv_chunks *c, int first, int end)
{
    return mfm_chunk_begin(c->share.samples, first) < mfm_chunk_begin(c->share.samples, end);
}

static void sum_chunk(const work *w, int chunk, real *to, bool add)
{
    const mfm_conv_chunks *c = w->c;
    const int64_t n = length_of(&c->share, chunk);
    const int64_t at = mfm_chunk_begin(c->share.samples, chunk) - mfm_share_first(&c->share);
    const void *state = c->states[w->unit][n > c->share.samples / MFM_CHUNKS ? MANY : FEW];
    c->impl->backward_weights(state, w->gy + at * c->result, w->x + at * c->image, to, add, w->own);
}

/* The sum of chunks, which have samples, in `to`; `rest` has room for the sums of the levels below.
 */
static void sum_chunks(const work *w, int first, int end, real *restrict to, real *restrict rest)
{
    const mfm_conv_chunks *c = w->c;
    const int middle = (first + end) / 2;
    if (end - first == 1) {
        sum_chunk(w, first, to, false);
        return;
    }
    const bool left = has_samples(c, first, middle), right = has_samples(c, middle, end);
    if (left)
        sum_chunks(w, first, middle, to, rest);
    if (right && !left)
        sum_chunks(w, middle, end, to, rest);
    if (!right || !left)
        return;
    if (end - middle == 1) { /* what is added is a sum of its own */
        sum_chunk(w, middle, to, true);
        return;
    }
    sum_chunks(w, middle, end, rest, rest + c->sum);
    for (size_t i = 0; i < c->count; i++)
        to[i] += rest[i];
}

/* Adds up the sums of the units [first, end), of elements [at, at + n), in that of the first that
 * has samples; returns it, NULL: none has. */
static real *add_units(const mfm_conv_chunks *c, real *const *sums, int first, int end, size_t at,
                       size_t n)
{
    const int begin = c->share.first + first * c->size, middle = (first + end) / 2;
    if (!has_samples(c, begin, c->share.first + end * c->size))
        return NULL;
    if (end - first == 1)
        return sums[first] + at;
    real *restrict left = add_units(c, sums, first, middle, at, n);
    real *restrict right = add_units(c, sums, middle, end, at, n);
    for (size_t i = 0; left && right && i < n; i++)
        left[i] += right[i];
    return left ? left : right;
}

/* Elements [at, at + n) of the sum of all units: left in place, or gw = [gw +] it. */
static void finish_block(const mfm_conv_chunks *c, real *const *sums, size_t at, size_t n, real *gw,
                         bool add)
{
    const real *total = add_units(c, sums, 0, c->units, at, n);
    for (size_t i = 0; gw && i < n; i++)
        gw[at + i] = (add ? gw[at + i] : 0) + total[i];
}

/* The sum of all units is left with the first that has samples. */
static real *first_sum(const mfm_conv_chunks *c, real *const *sums)
{
    int unit = 0;
    while (!has_samples(c, c->share.first, c->share.first + (unit + 1) * c->size))
        unit++;
    return sums[unit];
}

static void finish(const mfm_conv_chunks *c, real *const *sums, real *gw, bool add)
{
    const bool plain = !c->impl->weights_finish;
    const int64_t count = (int64_t)c->count;
#pragma omp parallel for schedule(static) if (count > BLOCK && c->units > 1)
    for (int64_t at = 0; at < count; at += BLOCK)
        finish_block(c, sums, (size_t)at, (size_t)(count - at < BLOCK ? count - at : BLOCK),
                     plain ? gw : NULL, add);
    real *total = first_sum(c, sums);
    if (!plain)
        c->impl->weights_finish(c->any, total, gw, add, total + (size_t)c->levels * c->sum);
}

void mfm_conv_chunks_weights(const mfm_conv_chunks *c, const real *gy, const real *x, real *gw,
                             bool add, real *scratch)
{
    real *sums[MFM_CHUNKS];
    for (int unit = 0; unit < c->units; unit++)
        sums[unit] = scratch + (size_t)unit * unit_scratch(c);
#pragma omp parallel for schedule(dynamic, 1) if (c->units > 1)
    for (int unit = 0; unit < c->units; unit++) {
        const int first = c->share.first + unit * c->size;
        const work w = {c, gy, x, unit, sums[unit] + (size_t)c->levels * c->sum};
        if (has_samples(c, first, first + c->size))
            sum_chunks(&w, first, first + c->size, sums[unit], sums[unit] + c->sum);
    }
    finish(c, sums, gw, add);
}
