/* bench: what one training step (or one forward pass) of a model costs on this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/engine/random.h"
#include "core/train/training.h"
#include "tools/inject_arguments.h"
#include "tools/print_json.h"
#include "tools/session.h"

typedef struct options {
    const char *method;
    mfm_inject_arguments inject;
    uint64_t batch, meta_batch, repeat, threads;
    bool json;
} options;

static const mfm_option table[] = {
    {.name = "method",
     .kind = MFM_OPTION_STRING,
     .value = "NAME",
     .offset = offsetof(options, method),
     .help = "training method whose step is timed, or forward for one pass of inference"},
    {.name = "batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .offset = offsetof(options, batch),
     .help = "images of a step"},
    {.name = "meta-batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 65536,
     .offset = offsetof(options, meta_batch),
     .silent_default = true,
     .help = "meta images of a step (default: as --batch)"},
    {.name = "repeat",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 100000,
     .offset = offsetof(options, repeat),
     .help = "steps that are timed, after two to warm up"},
    {.name = "threads",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 1024,
     .offset = offsetof(options, threads),
     .silent_default = true,
     .help = "threads (default: all processors)"},
    {.name = "json",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, json),
     .help = "print JSON"},
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "Modulator (methods that need one):",
     .options = mfm_inject_table,
     .count = MFM_INJECT_OPTIONS,
     .base = offsetof(options, inject)},
    {.title = NULL}};

static const mfm_option_table bench_options = {
    .positional = "MODEL",
    .purpose = "Times steps on random images: the median and the 95th percentile, and the memory.",
    .groups = groups};

/* What is measured, and the buffers it works on. */
typedef struct bench {
    mfm_ctx *ctx;
    const options *o;
    mfm_session session;
    mfm_training *training; /* NULL: a forward pass */
    mfm_plan *plan;         /* of the forward pass */
    mfm_batch train, meta;
    real *images, *labels, *meta_images, *meta_labels;
    double *seconds; /* [repeat], ascending in the end */
} bench;

static const mfm_pass forward_pass[1] = {{MFM_FORWARD, MFM_SET_PLAIN}};

static bool forward_only(const options *o)
{
    return strcmp(o->method, "forward") == 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int random_batch(bench *b, uint64_t batch, uint32_t node, real **images, real **labels)
{
    mfm_shape shape = b->session.network->graph->values[b->session.network->images].shape;
    shape.dim[0] = (int64_t)batch;
    const size_t count = (size_t)mfm_shape_count(&shape);
    *images = mfm_alloc_aligned(b->ctx, count, sizeof **images);
    *labels = mfm_alloc_aligned(b->ctx, batch, sizeof **labels);
    if (!*images || !*labels)
        return MFM_ENOMEM;
    const mfm_key key = {.stream = MFM_STREAM_TEST, .node = node};
    for (size_t i = 0; i < count; i++)
        (*images)[i] = (real)mfm_random_normal(&key, i);
    for (uint64_t i = 0; i < batch; i++)
        (*labels)[i] = (real)(i % (uint64_t)b->session.network->classes);
    return MFM_OK;
}

static int plan_forward(bench *b)
{
    const mfm_split_graph *graphs = b->session.graphs;
    const mfm_slot keep[1] = {{graphs->logits, MFM_X}};
    const mfm_plan_spec spec = {.batch = (int64_t)b->o->batch,
                                .passes = forward_pass,
                                .n_passes = 1,
                                .keep = keep,
                                .n_keep = 1};
    const int status = mfm_plan_new(b->ctx, graphs->main, &spec, &b->plan);
    if (status)
        return status;
    mfm_plan_bind_params(b->plan, MFM_X, graphs->main->params);
    mfm_plan_bind_state(b->plan, graphs->main->state);
    mfm_plan_bind_input(b->plan, graphs->images, MFM_X, b->images);
    return MFM_OK;
}

static int make_training(bench *b, const mfm_method *method, uint64_t meta_batch)
{
    const mfm_train_options fixed = {.method = method,
                                     .epochs = 1,
                                     .batch = (uint32_t)b->o->batch,
                                     .meta_batch = (uint32_t)meta_batch,
                                     .momentum = 0.9,
                                     .weight_decay = 5e-4,
                                     .modulator_lr = 1e-2,
                                     .modulator_momentum = 0.9};
    return mfm_training_new(b->ctx, b->session.graphs, &fixed, &b->training);
}

static int prepare(bench *b, const char *path)
{
    const options *o = b->o;
    const mfm_method *method = mfm_method_find(o->method);
    const uint64_t meta_batch = o->meta_batch ? o->meta_batch : o->batch;
    bool has = false;
    int status = mfm_session_open(&b->session, path);
    if (!status)
        status = mfm_has_modulator(b->ctx, b->session.model, &has);
    if (!status && method && method->needs_modulator && !has)
        status = mfm_inject_as_asked(b->ctx, b->session.model, &o->inject, 0, 0);
    if (!status)
        status = mfm_session_import(&b->session);
    if (!status)
        status = random_batch(b, o->batch, 0, &b->images, &b->labels);
    if (!status && method)
        status = random_batch(b, meta_batch, 1, &b->meta_images, &b->meta_labels);
    if (!status)
        status = method ? make_training(b, method, meta_batch) : plan_forward(b);
    b->train = (mfm_batch){b->images, b->labels};
    b->meta = (mfm_batch){b->meta_images, b->meta_labels};
    return status;
}

static void one_step(bench *b)
{
    mfm_step_losses losses;
    if (!b->training) {
        mfm_plan_run(b->plan, 0);
        return;
    }
    b->training->options.method->step(b->training, &b->train, &b->meta, 1e-3, &losses);
    b->training->counters.step++;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int measure(bench *b)
{
    enum { WARM_UP = 2 };
    b->seconds = mfm_alloc(b->ctx, b->o->repeat, sizeof *b->seconds);
    if (!b->seconds)
        return MFM_ENOMEM;
    for (int i = 0; i < WARM_UP; i++)
        one_step(b);
    for (uint64_t i = 0; i < b->o->repeat; i++) {
        const double start = now();
        one_step(b);
        b->seconds[i] = now() - start;
    }
    qsort(b->seconds, b->o->repeat, sizeof *b->seconds, ascending);
    return MFM_OK;
}

static double percentile(const bench *b, double share)
{
    return b->seconds[(uint64_t)(share * (double)(b->o->repeat - 1) + 0.5)];
}

static double peak_rss(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : (double)usage.ru_maxrss * 1024;
}

static int report(bench *b, const char *path, int threads)
{
    const double median = percentile(b, 0.5), high = percentile(b, 0.95);
    const size_t bytes =
        b->training ? b->training->options.method->bytes(b->training) : mfm_plan_bytes(b->plan);
    const double rate = (double)b->o->batch / median;
    if (b->o->json)
        return mfm_print_json(
            b->ctx,
            json_pack("{s:s, s:s, s:I, s:i, s:I, s:f, s:f, s:f, s:f, s:I, s:f}", "file", path,
                      "method", b->o->method, "batch", (json_int_t)b->o->batch, "threads", threads,
                      "steps", (json_int_t)b->o->repeat, "seconds", median, "fastest",
                      b->seconds[0], "p95", high, "images_per_second", rate, "buffer_bytes",
                      (json_int_t)bytes, "peak_rss_bytes", peak_rss()));
    printf("%s: %s, batch %llu, %d thread%s, %llu steps\n", path, b->o->method,
           (unsigned long long)b->o->batch, threads, threads == 1 ? "" : "s",
           (unsigned long long)b->o->repeat);
    printf("  step      %10.3f ms median, %.3f fastest, %.3f at the 95th percentile\n",
           1e3 * median, 1e3 * b->seconds[0], 1e3 * high);
    printf("  rate      %10.1f images a second\n", rate);
    printf("  buffers   %10.1f MiB planned\n", (double)bytes / (1 << 20));
    printf("  process   %10.1f MiB at its peak\n", peak_rss() / (1 << 20));
    return MFM_OK;
}

static void clear(bench *b)
{
    mfm_training_free(b->training);
    mfm_plan_free(b->plan);
    mfm_free_aligned(b->ctx, b->images);
    mfm_free_aligned(b->ctx, b->labels);
    mfm_free_aligned(b->ctx, b->meta_images);
    mfm_free_aligned(b->ctx, b->meta_labels);
    mfm_free(b->ctx, b->seconds);
    mfm_session_clear(&b->session);
}

static int check_method(mfm_ctx *ctx, const options *o)
{
    if (forward_only(o) || mfm_method_find(o->method))
        return MFM_OK;
    return mfm_fail(ctx, MFM_EUSAGE,
                    "--method: %s: must be forward or a method that `onnx-mfm "
                    "train --help` lists",
                    o->method);
}

int mfm_cmd_bench(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.method = "base", .inject = mfm_inject_defaults, .batch = 100, .repeat = 20};
    mfm_arguments arguments;
    bench b = {.ctx = ctx, .o = &o, .session = {.ctx = ctx}};
    int status = mfm_options_parse(ctx, &bench_options, argc, argv, &o, &arguments);
    if (!status)
        status = check_method(ctx, &o);
    const int threads = mfm_use_threads((unsigned)o.threads);
    if (!status)
        status = prepare(&b, arguments.positional);
    if (!status)
        status = measure(&b);
    if (!status)
        status = report(&b, arguments.positional, threads);
    clear(&b);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
