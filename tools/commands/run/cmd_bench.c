/* bench: what one training step (or one forward pass) of a model costs on this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/layout.h"
#include "core/base/random.h"
#include "tools/show/reports/bench_report.h"
#include "tools/process.h"
#include "tools/options/groups/reproducible_option.h"
#include "tools/options/groups/role_options.h"
#include "tools/options/settings.h"
#include "tools/threads.h"

typedef struct options {
    const char *method;
    mfm_inject_arguments inject;
    mfm_role_arguments roles;
    uint64_t batch, meta_batch, repeat, profile, threads;
    int reproducible; /* enum mfm_reproducible */
    bool all_nodes, json;
    mfm_settings_room room;
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
     .help = "images per step"},
    {.name = "meta-batch",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 65536,
     .offset = offsetof(options, meta_batch),
     .silent_default = true,
     .help = "meta images per step (default: as --batch)"},
    {.name = "repeat",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 100000,
     .offset = offsetof(options, repeat),
     .help = "steps that are timed, after two to warm up"},
    {.name = "profile",
     .kind = MFM_OPTION_UINT,
     .value = "N",
     .max = 100000,
     .offset = offsetof(options, profile),
     .help = "further steps in which passes and nodes are timed; 0: none"},
    {.name = "all-nodes",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, all_nodes),
     .help = "list every node, not only the slowest"},
    MFM_THREADS_OPTION(options, threads),
    MFM_REPRODUCIBLE_CHOICE(options, reproducible),
    MFM_JSON_OPTION(options, json),
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = "Modulator (methods that need one):",
     .options = mfm_inject_table,
     .count = MFM_INJECT_OPTIONS,
     .base = offsetof(options, inject)},
    {.title = "What is trained:",
     .options = mfm_role_table,
     .count = MFM_ROLE_OPTIONS,
     .base = offsetof(options, roles)},
    {.title = NULL}};

static const mfm_option_table bench_options = {
    .positional = "MODEL",
    .purpose = "Times steps on random images: the median and the 95th percentile, the memory, and\n"
               "where the time goes by pass, operator and node. Operations are those of the\n"
               "defining sums, even where a kernel gets by with fewer.",
    .groups = groups};

enum { TOP_NODES = 20, WARM_UP = 2 };

/* What is measured, and the buffers it works on. */
typedef struct bench {
    mfm_ctx *ctx;
    const options *o;
    mfm_workload workload;
    mfm_batch batches[MFM_MAX_STREAMS];
    real *images[MFM_MAX_STREAMS], *labels[MFM_MAX_STREAMS];
    uint32_t *indices[MFM_MAX_STREAMS];
    mfm_bench_result result;
} bench;

static double now(void)
{
    return 1e-9 * (double)mfm_clock();
}

static int random_batch(bench *b, int stream, uint64_t batch)
{
    const mfm_problem *problem = b->workload.session.problem;
    mfm_shape shape = *mfm_problem_image_shape(problem);
    shape.dim[0] = (int64_t)batch;
    const size_t count = (size_t)mfm_shape_count(&shape);
    real *images = mfm_alloc_aligned(b->ctx, count, sizeof *images);
    real *labels = mfm_alloc_aligned(b->ctx, batch, sizeof *labels);
    uint32_t *indices = mfm_alloc(b->ctx, batch, sizeof *indices);
    b->images[stream] = images;
    b->labels[stream] = labels;
    b->indices[stream] = indices;
    if (!images || !labels || !indices)
        return MFM_ENOMEM;
    const mfm_key key = {.stream = MFM_STREAM_TEST, .node = (uint32_t)stream};
    for (size_t i = 0; i < count; i++)
        images[i] = (real)mfm_random_normal(&key, i);
    for (uint64_t i = 0; i < batch; i++) {
        labels[i] = (real)(i % (uint64_t)problem->classes);
        indices[i] = (uint32_t)i;
    }
    b->batches[stream] =
        (mfm_batch){.images = images, .labels = labels, .indices = indices, .n = (int64_t)batch};
    return MFM_OK;
}

static int make_batches(bench *b)
{
    if (!b->workload.method)
        return random_batch(b, 0, b->workload.batch);
    const mfm_train_options run = mfm_workload_options(&b->workload);
    mfm_stream_use uses[MFM_MAX_STREAMS];
    const int streams = mfm_method_streams(&run, uses);
    int status = MFM_OK;
    for (int i = 0; i < streams && !status; i++)
        status = random_batch(b, i, uses[i].batch);
    return status;
}

static int prepare(bench *b, const char *path)
{
    mfm_workload *w = &b->workload;
    const double start = now();
    int status = mfm_workload_load(w, path, &b->o->inject);
    b->result.import_seconds = now() - start;
    b->result.rss_import_peak = mfm_process_peak_rss();
    b->result.rss_before = mfm_process_rss();
    if (!status)
        status = make_batches(b);
    if (!status)
        status = mfm_workload_make(w);
    if (status)
        return status;
    if (w->plan)
        mfm_plan_bind_input(w->plan, w->session.problem->images, MFM_X, b->images[0]);
    if (w->plan && mfm_plan_check_bound(w->plan))
        return mfm_code(b->ctx);
    b->result.memory = mfm_workload_memory(w);
    b->result.conversions = mfm_graph_conversions(w->session.problem->main);
    return MFM_OK;
}

static void one_step(bench *b)
{
    mfm_workload *w = &b->workload;
    mfm_step_losses losses;
    if (!w->training) {
        mfm_plan_run(w->plan, 0);
        return;
    }
    for (int i = 0; i < MFM_MAX_STREAMS; i++)
        if (b->batches[i].n)
            mfm_training_add_features(w->training, i, NULL, &b->batches[i]);
    w->method->step(w->training, b->batches, 1e-3, &losses);
    w->training->counters.step++;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int measure(bench *b)
{
    mfm_bench_result *r = &b->result;
    r->seconds = mfm_alloc(b->ctx, b->o->repeat, sizeof *r->seconds);
    if (!r->seconds)
        return MFM_ENOMEM;
    for (int i = 0; i < WARM_UP; i++) {
        one_step(b);
        if (i == 0)
            r->first_step_at = mfm_process_age();
    }
    for (uint64_t i = 0; i < b->o->repeat; i++) {
        const double start = now();
        one_step(b);
        r->seconds[i] = now() - start;
    }
    qsort(r->seconds, b->o->repeat, sizeof *r->seconds, ascending);
    return MFM_OK;
}

/* Apart from the measured steps, which so pay nothing for the clock. */
static int profile(bench *b)
{
    mfm_bench_result *r = &b->result;
    mfm_profile_begin(b->ctx, &r->profile);
    const double start = now();
    for (uint64_t i = 0; i < b->o->profile; i++)
        one_step(b);
    r->profiled_seconds = now() - start;
    r->profiled = b->o->profile;
    r->rss_peak = mfm_process_peak_rss();
    return mfm_profile_end(&r->profile);
}

static int report(const bench *b)
{
    if (b->o->json)
        return mfm_bench_print_json(&b->result);
    return mfm_bench_print(&b->result, b->o->all_nodes ? SIZE_MAX : TOP_NODES);
}

static void clear(bench *b)
{
    if (b->result.profile.ctx)
        mfm_profile_clear(&b->result.profile);
    mfm_workload_clear(&b->workload);
    for (int i = 0; i < MFM_MAX_STREAMS; i++) {
        mfm_free_aligned(b->ctx, b->images[i]);
        mfm_free_aligned(b->ctx, b->labels[i]);
        mfm_free(b->ctx, b->indices[i]);
    }
    mfm_free(b->ctx, b->result.seconds);
}

static int check_method(mfm_ctx *ctx, const options *o)
{
    if (strcmp(o->method, "forward") == 0 || mfm_method_find(o->method))
        return MFM_OK;
    return mfm_fail(ctx, MFM_EUSAGE,
                    "--method: %s: must be forward or a method that `onnx-mfm "
                    "train --help` lists",
                    o->method);
}

/* Says which of the options given do nothing for what is timed. */
static void tell_no_effect(const bench *b, const mfm_form *form, const mfm_arguments *given)
{
    static const char *const meta[] = {"meta-batch", NULL}, *const all[] = {"all-nodes", NULL};
    const mfm_method *method = b->workload.method;
    char reason[96];
    snprintf(reason, sizeof reason, "%s has no meta set", b->o->method);
    const mfm_train_options run = mfm_workload_options(&b->workload);
    if (!method || !mfm_method_reads_meta(&run))
        mfm_options_no_effect(b->ctx, &form->table, given, meta, reason);
    snprintf(reason, sizeof reason, "%s has no modulator", b->o->method);
    if (!method || !method->needs_modulator)
        mfm_inject_no_effect(b->ctx, &form->table, given, reason);
    else if (!b->workload.injected)
        mfm_inject_no_effect(b->ctx, &form->table, given,
                             "the model has a modulator already, which is timed as it is");
    if (b->o->json)
        mfm_options_no_effect(b->ctx, &form->table, given, all, "JSON lists every node");
    else if (!b->o->profile)
        mfm_options_no_effect(b->ctx, &form->table, given, all, "--profile 0 times no nodes");
}

static int run(mfm_ctx *ctx, const options *o, const mfm_form *form, const mfm_arguments *given)
{
    const char *path = given->positional;
    bench b = {
        .ctx = ctx,
        .o = o,
        .workload = {.ctx = ctx,
                     .method = mfm_method_find(o->method),
                     .chosen = form->chosen,
                     .choice = mfm_role_choice_of(&o->roles),
                     .by_threads = o->reproducible == MFM_REPRODUCIBLE_OFF,
                     .batch = o->batch,
                     .meta_batch = o->meta_batch ? o->meta_batch : o->batch},
        .result = {
            .ctx = ctx, .path = path, .step = o->method, .batch = o->batch, .steps = o->repeat}};
    int status = mfm_use_threads(ctx, (unsigned)o->threads, &b.result.threads);
    if (!status)
        status = prepare(&b, path);
    if (!status)
        tell_no_effect(&b, form, given);
    if (!status)
        status = measure(&b);
    if (!status)
        status = profile(&b);
    if (!status)
        status = report(&b);
    clear(&b);
    return status;
}

int mfm_cmd_bench(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.method = mfm_methods[MFM_METHOD_PLAIN]->name,
                 .inject = mfm_inject_defaults,
                 .batch = 100,
                 .repeat = 20,
                 .profile = 5};
    static const char *const kinds[] = {"method", NULL};
    mfm_form form;
    mfm_arguments arguments;
    mfm_form_init(&form, &bench_options, kinds, offsetof(options, room));
    mfm_form_defaults(&form, &o);
    int status = mfm_options_parse(ctx, &form.table, argc, argv, &o, &arguments);
    if (!status)
        status = check_method(ctx, &o);
    if (!status) {
        mfm_choice part = {.name = NULL};
        if (mfm_method_find(o.method)) /* else a forward pass */
            status = mfm_choice_find(ctx, "method", o.method, &part);
        mfm_form_choose(&form, &part, 1, &o);
    }
    if (!status)
        status = run(ctx, &o, &form, &arguments);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
