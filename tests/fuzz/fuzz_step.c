/*
 * Models: whatever is imported for training is planned, and takes one step of the method that fits
 * it, unless it is large.
 */
#include "core/train/training.h"
#include "models/models.h"
#include "onnx/checkpoint.h"
#include "onnx/import.h"
#include "onnx/inject.h"
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
    mfm_shape shape = t->split->main->values[t->split->images].shape;
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

static void train(mfm_ctx *ctx, const mfm_split_graph *split)
{
    const mfm_train_options options = {.method = mfm_method_find(split->modulator ? "mfm" : "base"),
                                       .epochs = 1,
                                       .batch = BATCH,
                                       .meta_batch = BATCH,
                                       .schedule = {.base = 0.01, .factor = 0.1},
                                       .momentum = 0.9};
    mfm_training *training;
    const int status = mfm_training_new(ctx, split, &options, &training);
    fuzz_need_reason(status, ctx);
    if (!status) {
        step(training, split->classes);
        mfm_training_free(training);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_memory memory = {MEMORY};
    mfm_ctx *ctx = fuzz_ctx(&memory);
    mfm_model *model = NULL;
    mfm_network *network = NULL;
    mfm_split_graph *split = NULL;
    if (!ctx)
        return 0;
    int status = mfm_model_parse(ctx, bytes, size, "fuzz", &model);
    if (!status)
        status = mfm_model_untie(ctx, model, NULL);
    if (!status)
        status = mfm_model_import(ctx, model, &network);
    if (!status)
        status = mfm_split_graph_new(ctx, network, NULL, &split);
    fuzz_need_reason(status, ctx);
    if (!status && is_small(ctx, split->main) &&
        (!split->modulator || is_small(ctx, split->modulator)))
        train(ctx, split);
    mfm_split_graph_free(split);
    mfm_network_free(ctx, network);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
    fuzz_need(memory.left == MEMORY, NULL, "all memory is given back");
    return 0;
}

bool fuzz_seeds(fuzz_take *take, void *self)
{
    return fuzz_seed_residuals(take, self) && fuzz_seed_operators(take, self);
}
