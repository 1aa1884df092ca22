#include "core/train/training.h"

#include <math.h>

#include "core/train/vector.h"

static int build(mfm_training *t)
{
    const mfm_train_options *o = &t->options;
    const mfm_graph *graph = t->split->main;
    if (o->method->needs_modulator && !t->split->modulator)
        return mfm_fail(t->ctx, MFM_EINVAL, "method %s: the model has no modulator: inject one",
                        o->method->name);
    int status = mfm_vector_new(t->ctx, graph->params, graph->params_size, &t->w);
    if (!status)
        status = mfm_vector_new(t->ctx, graph->state, graph->state_size, &t->state);
    if (!status)
        status =
            mfm_optimizer_init(t->ctx, &t->optimizer, MFM_SGD, o->momentum, o->weight_decay, graph);
    if (!status)
        status = o->method->begin(t);
    return status;
}

int mfm_training_new(mfm_ctx *ctx, const mfm_split_graph *split, const mfm_train_options *options,
                     mfm_training **training)
{
    *training = mfm_alloc(ctx, 1, sizeof **training);
    if (!*training)
        return MFM_ENOMEM;
    **training = (mfm_training){.ctx = ctx, .options = *options, .split = split};
    (*training)->counters.best_error = 100;
    const int status = build(*training);
    if (status) {
        mfm_training_free(*training);
        *training = NULL;
    }
    return status;
}

void mfm_training_free(mfm_training *t)
{
    if (!t)
        return;
    if (t->method_state)
        t->options.method->end(t);
    mfm_optimizer_clear(t->ctx, &t->optimizer);
    mfm_optimizer_clear(t->ctx, &t->modulator_optimizer);
    mfm_free_aligned(t->ctx, t->w);
    mfm_free_aligned(t->ctx, t->state);
    mfm_free_aligned(t->ctx, t->phi);
    mfm_free(t->ctx, t);
}

static int check_vector(const mfm_training *t, const char *what, const real *vector, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(vector[i]))
            return mfm_fail(t->ctx, MFM_ENAN,
                            "training: step %llu: the %s are no longer finite numbers: lower --lr"
                            "%s%s, or look for images that are constant",
                            (unsigned long long)t->counters.step, what,
                            t->options.method->rate_option ? " or --" : "",
                            t->options.method->rate_option ? t->options.method->rate_option : "");
    return MFM_OK;
}

int mfm_training_check_finite(const mfm_training *t)
{
    int status = check_vector(t, "weights", t->w, t->split->main->params_size);
    if (!status)
        status = check_vector(t, "running statistics", t->state, t->split->main->state_size);
    if (!status && t->phi)
        status = check_vector(t, "modulator's weights", t->phi, t->split->modulator->params_size);
    return status;
}
