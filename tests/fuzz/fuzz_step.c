/*
 * Models: whatever is imported for training is planned, and takes one step of the method that fits
 * it, unless it is large.
 */
#include "core/train/training.h"
#include "models/models.h"
#include "onnx/checkpoint.h"
#include "onnx/import/import.h"
#include "onnx/surgery/inject.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seed_models.h"

enum { BATCH = 2, MEMORY = 64 << 20, MOST_VALUES = 1 << 16 };
static const int64_t most_macs = 1 << 22;

/* Hostile shapes are valid: what would take long is left out. */
static bool is_small(mfm_ctx *ctx, mfm_graph *graph)
{
    int64_t sum = 0;
    mfm_shape *shapes = mfm_alloc(ctx, graph->n_values, sizeof *shapes);
    const bool shaped = shapes && mfm_graph_shapes(graph, BATCH, true, shapes) == MFM_OK;
    for (size_t i = 0; i < graph->n_values && shaped; i++)
        sum = mfm_count_sum(sum, mfm_shape_count(&shapes[i]));
    mfm_free(ctx, shapes);
    if (!shaped || sum > MOST_VALUES)
        return false;
    static const mfm_pass forward[] = {{MFM_FORWARD, UINT32_MAX}};
    const mfm_plan_spec spec = {.batch = BATCH, .passes = forward, .n_passes = 1, .borrow = true};
    mfm_plan *plan;
    if (mfm_plan_new(ctx, graph, &spec, &plan))
        return false;
    const int64_t macs = mfm_plan_macs(plan);
    mfm_plan_free(plan);
    return macs <= most_macs;
}

static void step(mfm_training *t, int64_t classes)
{
    mfm_shape shape = t->problem->main->values[t->problem->images].shape;
    shape.dim[0] = BATCH;
    const size_t count = (size_t)mfm_shape_count(&shape);
    real *images = mfm_alloc_aligned(t->ctx, count, sizeof *images);
    real *labels = mfm_alloc_aligned(t->ctx, BATCH, sizeof *labels);
    const mfm_key key = {.stream = MFM_STREAM_TEST};
    for (size_t i = 0; images && i < count; i++)
        images[i] = (real)mfm_random_normal(&key, i);
    for (int64_t i = 0; labels && i < BATCH; i++)
        labels[i] = (real)(i % classes);
    const mfm_batch batch = {.n = BATCH, .images = images, .labels = labels};
    const mfm_batch batches[MFM_MAX_STREAMS] = {batch, batch};
    mfm_step_losses losses;
    if (images && labels) {
        t->options.method->step(t, batches, 0.01, &losses);
        fuzz_whole++;
    }
    mfm_free_aligned(t->ctx, images);
    mfm_free_aligned(t->ctx, labels);
}

static mfm_train_options options_for(const mfm_network *network)
{
    return (mfm_train_options){.method = mfm_method_find(network->soft_label >= 0 ? "mfm" : "base"),
                               .epochs = 1,
                               .batch = BATCH,
                               .meta_batch = BATCH,
                               .schedule = {.base = 0.01}};
}

static bool all_small(mfm_ctx *ctx, const mfm_problem *problem)
{
    bool small = is_small(ctx, problem->main);
    for (int i = 0; i < problem->n_hypers; i++)
        small = small && (!problem->hypers[i].graph || is_small(ctx, problem->hypers[i].graph));
    return small;
}

static void train(mfm_ctx *ctx, mfm_network *network)
{
    const mfm_train_options options = options_for(network);
    mfm_problem *problem = NULL;
    mfm_training *training = NULL;
    int status = mfm_method_build(ctx, network, NULL, &options, &problem);
    if (!status && all_small(ctx, problem))
        status = mfm_training_new(ctx, problem, &options, &training);
    fuzz_need_reason(status, ctx);
    if (training)
        step(training, problem->classes);
    mfm_training_free(training);
    mfm_problem_free(problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_memory memory = {MEMORY};
    mfm_ctx *ctx = fuzz_ctx(&memory);
    mfm_model *model = NULL;
    mfm_network *network = NULL;
    if (!ctx)
        return 0;
    int status = mfm_model_parse(ctx, bytes, size, "fuzz", &model);
    if (!status)
        status = mfm_model_untie(ctx, model, NULL);
    if (!status)
        status = mfm_model_import(ctx, model, &network);
    fuzz_need_reason(status, ctx);
    if (!status)
        train(ctx, network);
    mfm_network_free(ctx, network);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
    return 0;
}

bool fuzz_seeds(fuzz_take *take, void *self)
{
    return fuzz_seed_residuals(take, self) && fuzz_seed_operators(take, self);
}
