#include "core/train/optimizers/optimizer.h"

#include <assert.h>
#include <string.h>

#include "core/train/vector.h"

#define MFM_OPTIMIZER(name) extern const mfm_optimizer_kind mfm_optimizer_##name;
#include "core/train/optimizers/optimizers.def"
#include "extra/optimizers.def"
#undef MFM_OPTIMIZER

#define MFM_OPTIMIZER(name) &mfm_optimizer_##name,
const mfm_optimizer_kind *const mfm_optimizers[] = {
#include "core/train/optimizers/optimizers.def"
#include "extra/optimizers.def"
    NULL};
#undef MFM_OPTIMIZER

const mfm_optimizer_kind *mfm_optimizer_find(const char *name)
{
    for (int i = 0; mfm_optimizers[i]; i++)
        if (strcmp(mfm_optimizers[i]->name, name) == 0)
            return mfm_optimizers[i];
    return NULL;
}

static const mfm_momentum_values momentum_defaults = {.momentum = 0.9};
static const mfm_option momentum_table[] = {{.name = "momentum",
                                             .kind = MFM_OPTION_REAL,
                                             .value = "X",
                                             .max = 1,
                                             .offset = offsetof(mfm_momentum_values, momentum),
                                             .help = "momentum"}};
const mfm_settings mfm_momentum_settings =
    MFM_SETTINGS("Momentum", momentum_table, momentum_defaults);

static const mfm_adam_values adam_defaults = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
static const mfm_option adam_table[] = {
    {.name = "adam-beta1",
     .kind = MFM_OPTION_REAL,
     .value = "B",
     .max = 0.999999,
     .offset = offsetof(mfm_adam_values, beta1),
     .help = "decay of the mean of gradients"},
    {.name = "adam-beta2",
     .kind = MFM_OPTION_REAL,
     .value = "B",
     .max = 0.9999999,
     .offset = offsetof(mfm_adam_values, beta2),
     .help = "decay of the mean of their squares"},
    {.name = "adam-epsilon",
     .kind = MFM_OPTION_REAL,
     .value = "E",
     .min = 1e-30,
     .max = 1,
     .offset = offsetof(mfm_adam_values, epsilon),
     .help = "added to the root of that mean"},
};
const mfm_settings mfm_adam_settings = MFM_SETTINGS("Adam", adam_table, adam_defaults);

int mfm_optimizer_init(mfm_ctx *ctx, mfm_optimizer *optimizer, const mfm_optimizer_kind *kind,
                       const void *values, double weight_decay, const mfm_graph *graph)
{
    *optimizer = (mfm_optimizer){.kind = kind, .weight_decay = weight_decay, .graph = graph};
    const mfm_settings *settings = kind->settings[0];
    assert(!settings || settings->size <= sizeof optimizer->values);
    if (settings)
        memcpy(optimizer->values, values ? values : settings->defaults, settings->size);
    int status = MFM_OK;
    if (kind->moments > 0)
        status = mfm_vector_new(ctx, NULL, graph->params_size, &optimizer->first);
    if (!status && kind->moments > 1)
        status = mfm_vector_new(ctx, NULL, graph->params_size, &optimizer->second);
    if (status)
        mfm_optimizer_clear(ctx, optimizer);
    return status;
}

void mfm_optimizer_clear(mfm_ctx *ctx, mfm_optimizer *optimizer)
{
    mfm_free_aligned(ctx, optimizer->first);
    mfm_free_aligned(ctx, optimizer->second);
    *optimizer = (mfm_optimizer){0};
}

/* Whether it is the weights of a convolution or a matrix product: its bias is input 2. */
static bool is_kernel(const mfm_graph *graph, const mfm_value *param)
{
    const int value = (int)(param - graph->values);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const mfm_graph_node *node = &graph->nodes[i];
        for (int j = 0; node->op->macs && j < node->n_in && j < 2; j++)
            if (node->in[j] == value)
                return true;
    }
    return false;
}

bool mfm_param_decays(const mfm_graph *graph, const mfm_value *param, bool spare_vectors,
                      const mfm_value *spared)
{
    int axes = 0;
    for (int i = 0; i < param->shape.rank; i++)
        axes += param->shape.dim[i] > 1;
    if (param == spared)
        return false;
    return !spare_vectors || axes > 1 || (param->shape.rank > 1 && is_kernel(graph, param));
}

/* Numbers that one thread steps at a time: elements do not depend on each other. */
enum { BLOCK = 1 << 16 };

/* A step of n numbers at place `at` of the vectors. */
static void step_part(const mfm_optimizer *o, double lr, double scale, bool decays, size_t n,
                      const real *gradient, size_t at, real *params)
{
#pragma omp parallel for if (n > BLOCK)
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t to = at + first;
        const mfm_optimizer_slice slice = {.values = o->values,
                                           .steps = o->steps,
                                           .lr = (real)lr,
                                           .scale = (real)scale,
                                           .decay = decays ? (real)o->weight_decay : 0,
                                           .n = n - first < BLOCK ? n - first : BLOCK,
                                           .gradient = gradient + first,
                                           .first = o->first ? o->first + to : NULL,
                                           .second = o->second ? o->second + to : NULL,
                                           .params = params + to};
        o->kind->step(&slice);
    }
}

void mfm_optimizer_step(mfm_optimizer *o, double lr, double scale, const real *gradient,
                        real *params)
{
    o->steps++;
    for (size_t i = 0; i < o->graph->n_values; i++) {
        const mfm_value *value = &o->graph->values[i];
        if (value->kind != MFM_VALUE_PARAM || !value->trainable)
            continue;
        const bool decays = mfm_param_decays(o->graph, value, o->spare_vectors, o->spared);
        step_part(o, lr * value->rate, scale, decays, (size_t)mfm_shape_count(&value->shape),
                  gradient + value->offset, value->offset, params);
    }
}

void mfm_optimizer_step_rows(mfm_optimizer *o, double lr, double scale, const uint32_t *rows,
                             size_t n, const real *gradient, real *params)
{
    const mfm_value *value = &o->graph->values[0];
    const size_t width = (size_t)value->shape.dim[1];
    o->steps++;
    for (size_t i = 0; i < n; i++)
        if (rows[i] != MFM_NO_ROW)
            step_part(o, lr, scale, true, width, gradient + i * width,
                      value->offset + rows[i] * width, params);
}
