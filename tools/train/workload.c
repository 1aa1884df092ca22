#include "tools/train/workload.h"

#include "core/train/comm/comm.h"
#include "core/train/evaluate.h"
#include "onnx/surgery/branch.h"

int mfm_workload_load(mfm_workload *w, const char *path, const mfm_inject_arguments *inject)
{
    bool has = false;
    w->session.ctx = w->ctx;
    w->session.choice = w->choice;
    int status = mfm_session_open(&w->session, path);
    if (!status)
        status = mfm_has_modulator(w->ctx, w->session.model, &has);
    w->injected = !status && w->method && w->method->needs_modulator && !has;
    w->branched = !status && w->method && w->method->branch_layer &&
                  !mfm_model_has_branches(w->session.model);
    if (w->branched) {
        const mfm_train_options options = mfm_workload_options(w);
        status = mfm_model_branch(w->ctx, w->session.model, w->method->branch_layer(&options));
    }
    if (w->injected)
        status = mfm_inject_as_asked(w->ctx, w->session.model, inject, 0, 0);
    if (!status)
        status = mfm_session_import(&w->session);
    return status ? status : mfm_workload_build(w);
}

/* As many images of each class as make up one batch. */
static int set_task(mfm_workload *w)
{
    const int64_t classes = w->session.network->classes;
    uint32_t *counts = mfm_alloc(w->ctx, (size_t)classes, sizeof *counts);
    if (!counts)
        return MFM_ENOMEM;
    for (int64_t c = 0; c < classes; c++)
        counts[c] = (uint32_t)((w->batch + (uint64_t)classes - 1) / (uint64_t)classes);
    mfm_task_clear(w->ctx, &w->session.task);
    const int status = mfm_task_init(w->ctx, &w->session.task, classes, counts, (int)classes, 0);
    mfm_free(w->ctx, counts);
    return status;
}

int mfm_workload_build(mfm_workload *w)
{
    const mfm_train_options options = mfm_workload_options(w);
    const int status = set_task(w);
    return status ? status : mfm_session_build(&w->session, w->method ? &options : NULL, !w->form);
}

static int make_forward(mfm_workload *w)
{
    const mfm_problem *problem = w->session.problem;
    const int status = mfm_inference_plan(w->ctx, problem, (int64_t)w->batch, &w->plan);
    if (status || w->form)
        return status;
    mfm_plan_bind_params(w->plan, MFM_X, problem->main->params);
    mfm_plan_bind_state(w->plan, problem->main->state);
    return MFM_OK;
}

mfm_train_options mfm_workload_options(const mfm_workload *w)
{
    return (mfm_train_options){.method = w->method,
                               .chosen = w->chosen,
                               .epochs = 1,
                               .batch = (uint32_t)w->batch,
                               .meta_batch = (uint32_t)w->meta_batch,
                               .weight_decay = 5e-4,
                               .ranks = w->ranks,
                               .by_threads = w->by_threads};
}

int mfm_workload_make(mfm_workload *w)
{
    if (!w->method)
        return make_forward(w);
    const mfm_train_options options = mfm_workload_options(w);
    return mfm_training_new(w->ctx, w->session.problem, &options, &w->training);
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

static size_t image_size(const mfm_workload *w)
{
    mfm_shape shape = *mfm_problem_image_shape(w->session.problem);
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
        images += (size_t)mfm_share_count(&uses[i].share);
    return (mfm_memory){.buffers = mfm_comm_bytes(w->ranks) + w->method->bytes(w->training) +
                                   mfm_training_features_bytes(w->training),
                        .parameters = mfm_training_kept_bytes(w->training),
                        .images = images * (image + label)};
}

size_t mfm_memory_sum(mfm_memory memory)
{
    return memory.buffers + memory.parameters + memory.images;
}
