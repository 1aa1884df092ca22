#include "core/train/training.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/train/comm/gradient_sum.h"
#include "core/train/features/frozen_features.h"
#include "core/train/vector.h"

mfm_share mfm_options_share(const mfm_train_options *o, uint32_t batch)
{
    static const mfm_exchange planned = {.ranks = 0}; /* it is there, and never called */
    mfm_share share = !o->comm && o->ranks > 1 ? mfm_share_of(batch, 0, o->ranks, &planned)
                                               : mfm_comm_share(o->comm, batch);
    share.local_statistics = o->local_statistics;
    share.by_threads = o->by_threads;
    return share;
}

mfm_share mfm_training_share(const mfm_training *t)
{
    return mfm_options_share(&t->options, t->options.batch);
}

mfm_share mfm_training_meta_share(const mfm_training *t)
{
    return mfm_options_share(&t->options, t->options.meta_batch);
}

int mfm_training_gradient_sum(const mfm_training *t, mfm_gradient_sum **sum)
{
    return mfm_gradient_sum_new(t->ctx, t->options.comm, t->problem->main, NULL, sum);
}

void mfm_training_sum(const mfm_training *t, real *values, size_t count)
{
    mfm_comm_sum_reals(t->options.comm, values, count);
}

int mfm_training_keep(mfm_training *t, const mfm_kept *kept)
{
    if (t->n_kept == MFM_MAX_KEPT)
        return mfm_fail(t->ctx, MFM_ENOTSUP, "training: vector %s: a run keeps at most %d",
                        kept->name, MFM_MAX_KEPT);
    t->kept[t->n_kept++] = *kept;
    return MFM_OK;
}

int mfm_training_keep_count(mfm_training *t, const char *name, uint64_t *count)
{
    if (t->n_kept_counts == MFM_MAX_KEPT)
        return mfm_fail(t->ctx, MFM_ENOTSUP, "training: count %s: a run keeps at most %d", name,
                        MFM_MAX_KEPT);
    mfm_kept_count *kept = &t->kept_counts[t->n_kept_counts++];
    kept->count = count;
    snprintf(kept->name, sizeof kept->name, "%s", name);
    return MFM_OK;
}

static int keep(mfm_training *t, const char *prefix, const char *name, const mfm_kept *form)
{
    mfm_kept kept = *form;
    snprintf(kept.name, sizeof kept.name, "%s%s", prefix, name);
    return mfm_training_keep(t, &kept);
}

int mfm_training_keep_optimizer(mfm_training *t, const char *prefix, mfm_optimizer *o)
{
    const mfm_graph *graph = o->graph;
    const mfm_kept first = {
        .what = "first moments", .layout = graph, .data = o->first, .count = graph->params_size};
    mfm_kept second = first;
    second.what = "second moments";
    second.data = o->second;
    char name[48];
    snprintf(name, sizeof name, "%.*s%soptimizer_steps", (int)strcspn(prefix, "."), prefix,
             *prefix ? "_" : "");
    int status = o->first ? keep(t, prefix, "first", &first) : MFM_OK;
    if (!status && o->second)
        status = keep(t, prefix, "second", &second);
    return status ? status : mfm_training_keep_count(t, name, &o->steps);
}

int mfm_training_add_hyper(mfm_training *t, int index, const mfm_modulator_training *how)
{
    const mfm_hyper *hyper = &t->problem->hypers[index];
    const mfm_graph *graph = hyper->graph;
    mfm_hyper_state *state = &t->hypers[index];
    char prefix[48];
    int status = mfm_vector_new(t->ctx, graph->params, graph->params_size, &state->phi);
    const mfm_kept phi = {.what = "hyper-parameters",
                          .layout = graph,
                          .data = state->phi,
                          .count = graph->params_size,
                          .in_model = hyper->in_model};
    snprintf(prefix, sizeof prefix, "%s.", hyper->name);
    if (!status)
        status = keep(t, "", hyper->name, &phi);
    if (status || !how)
        return status;
    if (!status)
        status = mfm_modulator_optimizer_init(t->ctx, &state->optimizer, how, graph);
    return status ? status : mfm_training_keep_optimizer(t, prefix, &state->optimizer);
}

int mfm_training_make_optimizer(const mfm_training *t, const mfm_graph *graph,
                                mfm_optimizer *optimizer)
{
    const mfm_train_options *o = &t->options;
    const mfm_optimizer_kind *kind = o->optimizer ? o->optimizer : mfm_optimizers[MFM_SGD];
    const mfm_settings *settings = kind->settings[0];
    const void *values = settings ? mfm_values_of(o->chosen, settings) : NULL;
    const int status = mfm_optimizer_init(t->ctx, optimizer, kind, values, o->weight_decay, graph);
    optimizer->spare_vectors = o->spare_vectors;
    return status;
}

double mfm_training_bias_start(const mfm_training *t)
{
    const mfm_loss *loss = t->problem->spec.loss;
    const bool starts = !t->options.method->keeps_model && loss->starts_bias &&
                        loss->starts_bias(t->options.chosen);
    return starts ? -log((double)t->problem->classes - 1) : 0;
}

void mfm_training_start_bias(mfm_training *t)
{
    const mfm_classifier *c = &t->problem->classifier;
    const double start = mfm_training_bias_start(t);
    for (int64_t k = 0; start != 0 && k < c->classes; k++)
        t->w[mfm_classifier_bias_at(c, k)] = (real)start;
    if (start != 0)
        t->optimizer.spared = &t->problem->main->values[c->bias];
}

/* The biases of the last layer, where the loss wants to start them. */
static int check_bias(const mfm_training *t)
{
    const mfm_classifier *c = &t->problem->classifier;
    const bool can = c->weight >= 0 && c->bias >= 0 && t->problem->classes > 2 &&
                     t->problem->main->values[c->bias].trainable;
    if (mfm_training_bias_start(t) == 0 || can)
        return MFM_OK;
    return mfm_fail(
        t->ctx, MFM_EINVAL,
        "--last-bias classes: the model has no last layer with biases that are trained, "
        "for three classes or more");
}

static int check_parts(const mfm_training *t)
{
    const mfm_train_options *o = &t->options;
    if (o->sharpness > 0 && !o->method->sharpens)
        return mfm_fail(t->ctx, MFM_EINVAL,
                        "method %s: it takes no sharpness-aware steps: --sharpness 0",
                        o->method->name);
    if ((o->mixing != NULL) != (t->problem->shares >= 0))
        return mfm_fail(t->ctx, MFM_EINVAL,
                        "training: images are mixed where the graph's loss reads mixed labels, and "
                        "only there");
    const mfm_problem *p = t->problem;
    const int status = check_bias(t);
    if (status)
        return status;
    return o->finishing ? mfm_finishing_check(t->ctx, o->finishing, p->spec.loss, &p->classifier,
                                              p->spec.task)
                        : MFM_OK;
}

static int add_costs(mfm_training *t)
{
    const mfm_problem *p = t->problem;
    const size_t count = (size_t)(p->classes * p->classes);
    int status = mfm_classifier_need(t->ctx, &p->classifier, p->spec.loss->name);
    if (!status)
        status = mfm_vector_new(t->ctx, NULL, count, &t->costs);
    for (size_t i = 0; !status && i < count; i++)
        t->costs[i] = 1;
    const mfm_kept costs = {.what = "costs", .data = t->costs, .count = count};
    return status ? status : keep(t, "", "costs", &costs);
}

static int make_features(mfm_training *t)
{
    mfm_stream_use uses[MFM_MAX_STREAMS];
    const int streams = mfm_method_streams(&t->options, uses);
    if (!t->problem->prefix.graph)
        return MFM_OK;
    int status = mfm_frozen_features_new(t->ctx, t->problem, t->options.batch, &t->features);
    for (int i = 0; i < streams && !status; i++)
        status = mfm_feature_room_new(t->features, (uint32_t)mfm_share_count(&uses[i].share),
                                      &t->feature_rooms[i]);
    return status;
}

static int build(mfm_training *t)
{
    const mfm_train_options *o = &t->options;
    const mfm_graph *graph = t->problem->main;
    int status = check_parts(t);
    if (!status)
        status = mfm_vector_new(t->ctx, graph->params, graph->params_size, &t->w);
    if (!status)
        status = mfm_vector_new(t->ctx, graph->state, graph->state_size, &t->state);
    if (!status)
        status = mfm_training_make_optimizer(t, graph, &t->optimizer);
    if (!status)
        status = mfm_sharpness_init(t->ctx, &t->sharpness, o->sharpness, graph);
    const mfm_kept w = {.what = "weights",
                        .layout = graph,
                        .data = t->w,
                        .count = graph->params_size,
                        .in_model = true};
    if (!status)
        status = keep(t, "", "w", &w);
    if (!status)
        status = mfm_training_keep_optimizer(t, "", &t->optimizer);
    if (!status)
        mfm_training_start_bias(t);
    if (!status && t->problem->costs >= 0)
        status = add_costs(t);
    if (!status)
        status = make_features(t);
    return status ? status : o->method->begin(t);
}

int mfm_training_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_train_options *options,
                     mfm_training **training)
{
    *training = mfm_alloc(ctx, 1, sizeof **training);
    if (!*training)
        return MFM_ENOMEM;
    **training = (mfm_training){.ctx = ctx, .options = *options, .problem = problem};
    mfm_counters *c = &(*training)->counters;
    c->best_error = 100;
    c->best_validation_error = c->last_validation_error = c->best_validation_test_error = NAN;
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
    for (int i = 0; i < MFM_MAX_STREAMS; i++)
        mfm_feature_room_free(t->ctx, t->feature_rooms[i]);
    mfm_frozen_features_free(t->features);
    mfm_optimizer_clear(t->ctx, &t->optimizer);
    for (int i = 0; i < MFM_MAX_HYPERS; i++) {
        mfm_optimizer_clear(t->ctx, &t->hypers[i].optimizer);
        mfm_sharpness_clear(t->ctx, &t->hypers[i].sharpness);
        mfm_free_aligned(t->ctx, t->hypers[i].phi);
    }
    mfm_sharpness_clear(t->ctx, &t->sharpness);
    mfm_free_aligned(t->ctx, t->costs);
    mfm_free_aligned(t->ctx, t->w);
    mfm_free_aligned(t->ctx, t->state);
    mfm_free(t->ctx, t);
}

int mfm_training_add_features(mfm_training *t, int stream, const mfm_images *images,
                              mfm_batch *batch)
{
    real **room = t->feature_rooms[stream];
    const uint32_t n = (uint32_t)batch->n;
    const uint32_t copies = batch->copies ? t->options.augmented_copies : 0;
    int status = MFM_OK;
    if (!t->features)
        return MFM_OK;
    if ((batch->plain || batch->copies) &&
        mfm_frozen_features_kept(t->features, images, batch->indices, n, copies, batch->copies))
        status = mfm_frozen_features_take(t->features, images, batch->indices, n, copies,
                                          batch->copies, room);
    else
        mfm_frozen_features_make(t->features, batch->images, n, room);
    batch->features = (const real *const *)room;
    return status;
}

size_t mfm_training_features_bytes(const mfm_training *t)
{
    mfm_stream_use uses[MFM_MAX_STREAMS];
    const int streams = mfm_method_streams(&t->options, uses);
    size_t bytes = t->features ? mfm_frozen_features_bytes(t->features) : 0;
    for (int i = 0; t->features && i < streams; i++)
        bytes += mfm_frozen_features_size(t->features, (uint64_t)mfm_share_count(&uses[i].share));
    return bytes;
}

const mfm_kept *mfm_training_kept(const mfm_training *t, const char *name)
{
    for (int i = 0; i < t->n_kept; i++)
        if (strcmp(t->kept[i].name, name) == 0)
            return &t->kept[i];
    return NULL;
}

size_t mfm_training_kept_bytes(const mfm_training *t)
{
    size_t reals = t->problem->main->state_size;
    for (int i = 0; i < t->n_kept; i++)
        reals += t->kept[i].count;
    return reals * sizeof(real);
}

bool mfm_training_evaluates_copy(const mfm_training *t)
{
    return t->options.finishing || t->options.method->fold;
}

bool mfm_training_finishes(const mfm_training *t)
{
    return mfm_training_evaluates_copy(t) || t->problem->spec.loss->fold;
}

void mfm_training_finish(const mfm_training *t, bool written, real *params)
{
    const mfm_problem *p = t->problem;
    memcpy(params, t->w, p->main->params_size * sizeof *params);
    if (written && p->spec.loss->fold)
        p->spec.loss->fold(&p->classifier, p->spec.chosen, params);
    if (t->options.method->fold)
        t->options.method->fold(t, params);
    if (t->options.finishing)
        mfm_finish(t->options.finishing, t->options.chosen, &p->classifier, p->spec.task, params);
}

void mfm_training_share_statistics(mfm_training *t)
{
    if (t->options.local_statistics)
        mfm_comm_broadcast(t->options.comm, t->state, t->problem->main->state_size * sizeof(real));
}

int mfm_training_check_alike(const mfm_training *t)
{
    mfm_comm *comm = t->options.comm;
    mfm_digest own = mfm_digest_of(&t->counters.step, sizeof t->counters.step), first;
    for (int i = 0; comm && i < t->n_kept; i++)
        own = mfm_digest_more(own, t->kept[i].data, t->kept[i].count * sizeof(real));
    first = own;
    mfm_comm_broadcast(comm, &first, sizeof first);
    int status = MFM_OK;
    if (!mfm_digest_same(&own, &first))
        status = mfm_fail(t->ctx, MFM_EDATA,
                          "training: step %llu: the %s are not those of rank 0: the machines "
                          "compute differently: use alike ones, with the same program",
                          (unsigned long long)t->counters.step, t->kept[0].what);
    return mfm_comm_agree(comm, t->ctx, status);
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
    int status = check_vector(t, "running statistics", t->state, t->problem->main->state_size);
    for (int i = 0; i < t->n_kept && !status; i++)
        status = check_vector(t, t->kept[i].what, t->kept[i].data, t->kept[i].count);
    return status;
}
