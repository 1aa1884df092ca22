#include "tools/workload.h"

#include "core/train/evaluate.h"

int mfm_workload_load(mfm_workload *w, const char *path, const mfm_inject_arguments *inject)
{
    bool has = false;
    w->session.ctx = w->ctx;
    w->session.choice = w->choice;
    int status = mfm_session_open(&w->session, path);
    if (!status)
        status = mfm_has_modulator(w->ctx, w->session.model, &has);
    w->injected = !status && w->method && w->method->needs_modulator && !has;
    if (w->injected)
        status = mfm_inject_as_asked(w->ctx, w->session.model, inject, 0, 0);
    if (status)
        return status;
    return w->form ? mfm_session_import_form(&w->session) : mfm_session_import(&w->session);
}

static int make_forward(mfm_workload *w)
{
    const mfm_split_graph *graphs = w->session.graphs;
    const int status = mfm_inference_plan(w->ctx, graphs, (int64_t)w->batch, &w->plan);
    if (status || w->form)
        return status;
    mfm_plan_bind_params(w->plan, MFM_X, graphs->main->params);
    mfm_plan_bind_state(w->plan, graphs->main->state);
    return MFM_OK;
}

mfm_train_options mfm_workload_options(const mfm_workload *w)
{
    return (mfm_train_options){.method = w->method,
                               .chosen = w->chosen,
                               .epochs = 1,
                               .batch = (uint32_t)w->batch,
                               .meta_batch = (uint32_t)w->meta_batch,
                               .momentum = 0.9,
                               .weight_decay = 5e-4};
}

int mfm_workload_make(mfm_workload *w)
{
    if (!w->method)
        return make_forward(w);
    const mfm_train_options options = mfm_workload_options(w);
    return mfm_training_new(w->ctx, w->session.graphs, &options, &w->training);
}

void mfm_workload_unmake(mfm_workload *w)
{
    mfm_training_free(w->training);
    mfm_plan_free(w->plan);
    w->training = NULL;
    w->plan = NULL;
}

void mfm_workload_clear(mfm_workload *w)
{
    mfm_workload_unmake(w);
    mfm_session_clear(&w->session);
}

static size_t optimizer_size(const mfm_optimizer *optimizer, size_t params)
{
    return (optimizer->first ? params : 0) + (optimizer->second ? params : 0);
}

static size_t parameter_size(const mfm_training *t)
{
    const size_t params = t->split->main->params_size;
    size_t size = params + t->split->main->state_size + optimizer_size(&t->optimizer, params);
    if (t->phi) {
        const size_t phi = t->split->modulator->params_size;
        size += phi + optimizer_size(&t->modulator_optimizer, phi);
    }
    return size;
}

static size_t image_size(const mfm_workload *w)
{
    mfm_shape shape = w->session.graphs->main->values[w->session.graphs->images].shape;
    shape.dim[0] = 1;
    return (size_t)mfm_shape_count(&shape);
}

mfm_memory mfm_workload_memory(const mfm_workload *w)
{
    const size_t image = image_size(w) * sizeof(real), label = sizeof(real);
    if (!w->method)
        return (mfm_memory){.buffers = mfm_plan_bytes(w->plan), .images = w->batch * image};
    const mfm_train_options options = mfm_workload_options(w);
    mfm_stream_use uses[MFM_MAX_STREAMS];
    const int streams = mfm_method_streams(&options, uses);
    size_t images = 0;
    for (int i = 0; i < streams; i++)
        images += uses[i].batch;
    return (mfm_memory){.buffers = w->method->bytes(w->training),
                        .parameters = parameter_size(w->training) * sizeof(real),
                        .images = images * (image + label)};
}

size_t mfm_memory_sum(mfm_memory memory)
{
    return memory.buffers + memory.parameters + memory.images;
}
