/*
 * Convolution by oneDNN, float only. Images and results are plain channels-last memory; the
 * weights' layout is oneDNN's choice, and when that is not the plain [o, kh, kw, c / groups] they
 * are reordered through scratch on every call. The number of threads at make is the one of
 * the calls.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/conv/onednn/conv_onednn.h"

enum { PARALLEL_FROM = 16384 };

static size_t scratch_size(const void *state)
{
    const mfm_onednn *conv = state;
    size_t bytes = 0;
    for (int i = 0; i < MFM_ONEDNN_DIRECTIONS; i++)
        bytes = conv->parts[i].size > bytes ? conv->parts[i].size : bytes;
    return bytes / sizeof(real);
}

static bool point(dnnl_memory_t memory, const void *data)
{
    return dnnl_memory_set_data_handle(memory, (void *)data) == dnnl_success;
}

/* from -> to, both pointed at their data. */
static bool reorder(const mfm_onednn *conv, const mfm_onednn_part *d, dnnl_memory_t from,
                    dnnl_memory_t to)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return dnnl_primitive_execute(d->reorder, conv->stream, 2, args) == dnnl_success;
}

/* Points the direction's weights at w, packed when need be and asked for; NULL on failure. */
static dnnl_memory_t place_weights(const mfm_onednn *conv, const mfm_onednn_part *d, const real *w,
                                   bool pack, char *scratch)
{
    if (!point(conv->weights, w))
        return NULL;
    if (!d->reorder)
        return conv->weights;
    if (!point(d->packed, scratch + d->packed_at))
        return NULL;
    return !pack || reorder(conv, d, conv->weights, d->packed) ? d->packed : NULL;
}

static bool run(const mfm_onednn *conv, const mfm_onednn_part *d, int n_args, dnnl_exec_arg_t *args,
                char *scratch)
{
    if (!point(d->scratchpad, scratch))
        return false;
    args[n_args] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, d->scratchpad};
    return dnnl_primitive_execute(d->run, conv->stream, n_args + 1, args) == dnnl_success;
}

/* Running has no way to fail: a refusal by oneDNN shows as results that are no numbers. */
static void spoil(real *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)NAN;
}

static void add_to(const real *restrict from, real *restrict to, int64_t count)
{
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

static size_t packed_size(const void *state)
{
    const mfm_onednn_part *d = &((const mfm_onednn *)state)->parts[MFM_ONEDNN_FORWARD];
    return d->reorder ? (d->sum_at - d->packed_at) / sizeof(real) : 0;
}

static void pack(const void *state, const real *w, real *packed)
{
    const mfm_onednn *conv = state;
    const mfm_onednn_part *d = &conv->parts[MFM_ONEDNN_FORWARD];
    if (!point(conv->weights, w) || !point(d->packed, packed) ||
        !reorder(conv, d, conv->weights, d->packed))
        spoil(packed, (int64_t)packed_size(conv));
}

/* bias NULL: there is none. */
static void run_forward(const mfm_onednn *conv, int which, const real *x, const real *packed,
                        const real *bias, real *y, real *scratch)
{
    const mfm_onednn_part *d = &conv->parts[which];
    const dnnl_memory_t weights = d->reorder ? d->packed : conv->weights;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, conv->image},
                              {DNNL_ARG_WEIGHTS, weights},
                              {DNNL_ARG_DST, conv->result},
                              {DNNL_ARG_BIAS, conv->bias},
                              {0}};
    if (!point(weights, packed) || !point(conv->image, x) || !point(conv->result, y) ||
        !point(conv->bias, bias) || !run(conv, d, bias ? 4 : 3, args, (char *)scratch))
        spoil(y, mfm_conv_result_count(&conv->shape));
}

static void forward(const void *state, const real *x, const real *packed, real *y, bool add,
                    real *scratch)
{
    run_forward(state, add ? MFM_ONEDNN_FORWARD_ADD : MFM_ONEDNN_FORWARD, x, packed, NULL, y,
                scratch);
}

static void forward_finished(const void *state, const real *x, const real *packed, const real *bias,
                             real *y, real *scratch)
{
    run_forward(state, MFM_ONEDNN_FORWARD, x, packed, bias, y, scratch);
}

static void backward_data(const void *state, const real *gy, const real *w, real *gx, bool add,
                          real *scratch)
{
    const mfm_onednn *conv = state;
    const mfm_onednn_part *d = &conv->parts[MFM_ONEDNN_DATA];
    real *to = add ? (real *)((char *)scratch + d->sum_at) : gx;
    const dnnl_memory_t weights = place_weights(conv, d, w, true, (char *)scratch);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_DST, conv->result},
                              {DNNL_ARG_WEIGHTS, weights},
                              {DNNL_ARG_DIFF_SRC, conv->image},
                              {0}};
    const int64_t count = mfm_conv_image_count(&conv->shape);
    if (!weights || !point(conv->result, gy) || !point(conv->image, to) ||
        !run(conv, d, 3, args, (char *)scratch))
        spoil(to, count);
    if (add)
        add_to(to, gx, count);
}

/* As oneDNN lays it out. */
static size_t weights_sum(const void *state)
{
    const mfm_onednn *conv = state;
    const mfm_onednn_part *d = &conv->parts[MFM_ONEDNN_WEIGHTS];
    return d->reorder ? (d->sum_at - d->packed_at) / sizeof(real)
                      : (size_t)mfm_conv_weight_count(&conv->shape);
}

static void backward_weights(const void *state, const real *gy, const real *x, real *sum, bool add,
                             real *scratch)
{
    const mfm_onednn *conv = state;
    const mfm_onednn_part *d = &conv->parts[MFM_ONEDNN_WEIGHTS];
    real *to = add ? (real *)((char *)scratch + d->packed_at) : sum;
    const dnnl_memory_t weights = d->reorder ? d->packed : conv->weights;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_DST, conv->result},
                              {DNNL_ARG_SRC, conv->image},
                              {DNNL_ARG_DIFF_WEIGHTS, weights},
                              {0}};
    if (!point(weights, to) || !point(conv->result, gy) || !point(conv->image, x) ||
        !run(conv, d, 3, args, (char *)scratch))
        spoil(to, (int64_t)weights_sum(conv));
    if (add)
        add_to(to, sum, (int64_t)weights_sum(conv));
}

static void weights_finish(const void *state, real *sum, real *gw, bool add, real *scratch)
{
    const mfm_onednn *conv = state;
    const mfm_onednn_part *d = &conv->parts[MFM_ONEDNN_WEIGHTS];
    const int64_t count = mfm_conv_weight_count(&conv->shape);
    real *to = add ? (real *)((char *)scratch + d->packed_at) : gw;
    if (!d->reorder) {
        to = sum;
        if (!add)
            memcpy(gw, sum, (size_t)count * sizeof *gw);
    } else if (!point(d->packed, sum) || !point(conv->weights, to) ||
               !reorder(conv, d, d->packed, conv->weights)) {
        spoil(to, count);
    }
    if (add)
        add_to(to, gw, count);
}

/* Levels that differ in other things than float's instructions are one. */
static const char *level(void)
{
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    const struct {
        unsigned bits;
        const char *name;
    } levels[] = {{dnnl_cpu_isa_avx512_core, "AVX-512"},
                  {dnnl_cpu_isa_avx512_mic, "AVX-512 of MIC"},
                  {dnnl_cpu_isa_avx2, "AVX2"},
                  {dnnl_cpu_isa_avx, "AVX"},
                  {dnnl_cpu_isa_sse41, "SSE4.1"}};
    for (size_t i = 0; isa && i < sizeof levels / sizeof levels[0]; i++)
        if ((isa & levels[i].bits) == levels[i].bits)
            return levels[i].name;
    return "any processor";
}

static void tell(char *text, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, size, " %d.%d.%d for %s", v->major, v->minor, v->patch, level());
}

static bool fits(const mfm_conv_shape *shape, enum mfm_conv_direction which)
{
    (void)shape, (void)which;
    return true;
}

const mfm_conv_impl mfm_conv_general = {
    .name = "oneDNN",
    .dispatches = true,
    .tell = tell,
    .fits = fits,
    .make = mfm_onednn_make,
    .release = mfm_onednn_release,
    .scratch = scratch_size,
    .packed = packed_size,
    .pack = pack,
    .forward = forward,
    .forward_finished = forward_finished,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .weights_sum = weights_sum,
    .weights_finish = weights_finish,
};
