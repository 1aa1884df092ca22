#include "tests/core/train/support/prepared.h"

#include <string.h>

#include "core/base/random.h"
#include "onnx/import/import.h"

void must(mfm_ctx *ctx, int status)
{
    if (status)
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
}

real *vector_new(mfm_ctx *ctx, size_t count)
{
    real *vector = mfm_alloc_aligned(ctx, count, sizeof *vector);
    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    memset(vector, 0, count * sizeof *vector);
    return vector;
}

static real *vector_copy(mfm_ctx *ctx, const real *from, size_t count)
{
    real *vector = vector_new(ctx, count);
    if (count)
        memcpy(vector, from, count * sizeof *vector);
    return vector;
}

static void clear_problem(prepared *p)
{
    mfm_free_aligned(p->ctx, p->w);
    mfm_free_aligned(p->ctx, p->state);
    mfm_free_aligned(p->ctx, p->phi);
    mfm_problem_free(p->problem);
    mfm_task_clear(p->ctx, &p->task);
    p->w = p->state = p->phi = NULL;
    p->problem = NULL;
}

/* For the task that is there. */
static void build_problem(prepared *p, const mfm_train_options *options)
{
    must(p->ctx, mfm_method_build(p->ctx, p->network, &p->task, options, &p->problem));
    const mfm_graph *main = p->problem->main;
    p->modulator = p->problem->n_hypers ? p->problem->hypers[0].graph : NULL;
    p->w = vector_copy(p->ctx, main->params, main->params_size);
    p->state = vector_copy(p->ctx, main->state, main->state_size);
    if (p->modulator && p->modulator->params)
        p->phi = vector_copy(p->ctx, p->modulator->params, p->modulator->params_size);
    else if (p->modulator)
        p->phi = vector_new(p->ctx, p->modulator->params_size);
}

void prepare_method(prepared *p, const mfm_train_options *options, uint32_t samples)
{
    clear_problem(p);
    must(p->ctx, mfm_task_init(p->ctx, &p->task, p->network->classes, &samples, 1, options->seed));
    build_problem(p, options);
}

void prepare_for_split(prepared *p, const mfm_train_options *options, const mfm_split *split)
{
    clear_problem(p);
    must(p->ctx, mfm_task_of_split(p->ctx, &p->task, p->network->classes, split, options->seed));
    build_problem(p, options);
}

void prepare_network(mfm_ctx *ctx, mfm_network *network, prepared *p)
{
    *p = (prepared){.ctx = ctx, .network = network};
    const mfm_train_options options = {
        .method = mfm_method_find(network->soft_label >= 0 ? "mfm" : "base")};
    prepare_method(p, &options, 1);
}

void prepare_model(mfm_ctx *ctx, mfm_model *model, prepared *p)
{
    mfm_network *network;
    must(ctx, mfm_model_import(ctx, model, &network));
    prepare_network(ctx, network, p);
    p->model = model;
}

void prepare(const recipe *from, prepared *p)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_model *model;
    must(ctx, mfm_model_make(ctx, from->architecture, &from->options, &model));
    mfm_inject_options inject = from->inject;
    inject.layers = from->layers;
    while (inject.n_layers < PREPARED_LAYERS && from->layers[inject.n_layers])
        inject.n_layers++;
    if (inject.n_layers)
        must(ctx, mfm_model_inject(ctx, model, &inject));
    prepare_model(ctx, model, p);
}

void prepared_clear(prepared *p)
{
    clear_problem(p);
    mfm_network_free(p->ctx, p->network);
    mfm_model_free(p->model);
    mfm_ctx_free(p->ctx);
}

void perturb(const mfm_graph *graph, uint64_t seed, double deviation, real *vector)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM || !value->trainable)
            continue;
        const mfm_key key = {.seed = seed, .stream = MFM_STREAM_TEST, .node = (uint32_t)i};
        const int64_t count = mfm_shape_count(&value->shape);
        for (int64_t j = 0; j < count; j++)
            vector[value->offset + (size_t)j] +=
                (real)(deviation * mfm_random_normal(&key, (uint64_t)j));
    }
}

mfm_batch batch_new(const prepared *p, int64_t count, uint64_t seed)
{
    mfm_shape shape = *mfm_problem_image_shape(p->problem);
    shape.dim[0] = count;
    const size_t size = (size_t)mfm_shape_count(&shape);
    real *images = vector_new(p->ctx, size), *labels = vector_new(p->ctx, (size_t)count);
    const mfm_key key = {.seed = seed, .stream = MFM_STREAM_TEST, .node = 0};
    const mfm_key label_key = {.seed = seed, .stream = MFM_STREAM_TEST, .node = 1};
    for (size_t i = 0; i < size; i++)
        images[i] = (real)mfm_random_normal(&key, i);
    for (int64_t i = 0; i < count; i++)
        labels[i] = (real)mfm_random_below(&label_key, (uint64_t)i, (uint64_t)p->problem->classes);
    return (mfm_batch){.images = images, .labels = labels, .n = count};
}

void batch_clear(const prepared *p, mfm_batch *batch)
{
    mfm_free_aligned(p->ctx, (real *)batch->images);
    mfm_free_aligned(p->ctx, (real *)batch->labels);
}
