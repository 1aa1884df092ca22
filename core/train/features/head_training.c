#include "core/train/features/head_training.h"

#include <stdio.h>

#include "core/train/features/frozen_features.h"
#include "core/train/vector.h"

typedef struct head_values {
    double memory; /* MiB */
} head_values;

static const mfm_option table[] = {
    {.name = "feature-memory",
     .kind = MFM_OPTION_REAL,
     .value = "MIB",
     .max = 1e9,
     .offset = offsetof(head_values, memory),
     .help =
         "memory for the features of the training images, which without augmentation and mixing "
         "are computed once; 0: they are computed in every step, with the same results"},
};
static const head_values defaults = {.memory = 1024};
const mfm_settings mfm_head_training_settings = MFM_SETTINGS("Frozen features", table, defaults);

enum { FORWARD, BACKWARD, PASSES };

static const char *const pass_names[PASSES] = {
    [FORWARD] = "classifier forward", [BACKWARD] = "classifier backward"};

typedef struct head_state {
    mfm_frozen_features *features;
    mfm_plan *plan;
    real *gradient;
} head_state;

void mfm_head_end(mfm_training *t)
{
    head_state *s = t->method_state;
    if (!s)
        return;
    mfm_frozen_features_free(s->features);
    mfm_plan_free(s->plan);
    mfm_free_aligned(t->ctx, s->gradient);
    mfm_free(t->ctx, s);
    t->method_state = NULL;
}

/* Features are written where the graph would have them: no pass makes them. */
static int make_plan(mfm_training *t, head_state *s)
{
    const mfm_problem *p = t->problem;
    const uint32_t loss =
        p->objective.loss == p->plain.loss ? MFM_SEGMENT_PLAIN_LOSS : MFM_SEGMENT_OBJECTIVE;
    const uint32_t set = 1u << MFM_SEGMENT_PLAIN | 1u << loss;
    const mfm_pass passes[PASSES] = {[FORWARD] = {MFM_FORWARD, set}, [BACKWARD] = {MFM_VJP, set}};
    mfm_slot *keep = mfm_alloc(t->ctx, 3 + p->n_gives, sizeof *keep);
    int n = 0;
    if (!keep)
        return MFM_ENOMEM;
    keep[n++] = (mfm_slot){p->classifier.features, MFM_X};
    keep[n++] = (mfm_slot){p->objective.loss, MFM_X};
    keep[n++] = (mfm_slot){p->objective.loss, MFM_G};
    for (size_t i = 0; i < p->n_gives; i++)
        keep[n++] = (mfm_slot){p->gives[i].main, MFM_G};
    const mfm_plan_spec spec = {.batch = t->options.batch,
                                .training = true,
                                .passes = passes,
                                .n_passes = PASSES,
                                .pass_names = pass_names,
                                .keep = keep,
                                .n_keep = n,
                                .param_gradients = true};
    const int status = mfm_plan_new(t->ctx, p->main, &spec, &s->plan);
    mfm_free(t->ctx, keep);
    return status;
}

static void bind(const mfm_training *t, const head_state *s)
{
    const mfm_problem *p = t->problem;
    mfm_plan_bind_params(s->plan, MFM_X, t->w);
    mfm_plan_bind_params(s->plan, MFM_G, s->gradient);
    mfm_plan_bind_state(s->plan, t->state);
    for (size_t i = 0; i < p->n_gives; i++) {
        const mfm_hyper_link *link = &p->gives[i];
        const size_t at = p->hypers[link->hyper].graph->values[link->value].offset;
        mfm_plan_bind_input(s->plan, link->main, MFM_X, t->hypers[link->hyper].phi + at);
    }
    *mfm_plan_lane(s->plan, p->objective.loss, MFM_G) = 1;
}

int mfm_head_begin(mfm_training *t)
{
    head_state *s = mfm_alloc(t->ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    t->method_state = s;
    int status = make_plan(t, s);
    if (!status)
        status = mfm_vector_new(t->ctx, NULL, t->problem->main->params_size, &s->gradient);
    if (!status)
        status = mfm_frozen_features_new(t->ctx, t->problem, 1u << MFM_SEGMENT_SHARED,
                                         t->options.batch, t->w, t->state, &s->features);
    if (status)
        mfm_head_end(t);
    else
        bind(t, s);
    return status;
}

static bool always_the_same(const mfm_training *t, const mfm_preprocess *preprocess)
{
    return preprocess->augment.count == 0 && !t->options.mixing;
}

int mfm_head_start(mfm_training *t, mfm_session_start *start)
{
    const head_state *s = t->method_state;
    const head_values *v = mfm_chosen_values(&t->options, &mfm_head_training_settings);
    const double mib = (double)mfm_frozen_features_size(s->features, start->count) / 0x1p20;
    if (v->memory == 0 || !always_the_same(t, start->preprocess))
        return MFM_OK;
    if (mib > v->memory) {
        mfm_warn(t->ctx,
                 "the features of %u images take %.1f MiB, --feature-memory allows %g: they are "
                 "computed in every step",
                 start->count, mib, v->memory);
        return MFM_OK;
    }
    const int status = mfm_frozen_features_keep(s->features, start->images, start->preprocess,
                                                start->indices, start->count, start->watch);
    if (status == MFM_ENOMEM)
        return mfm_fail_in(t->ctx, status,
                           "features of %u images (--feature-memory 0 does without)", start->count);
    snprintf(start->note, sizeof start->note,
             "the features of %u training images are computed once: %.1f MiB", start->count, mib);
    return status;
}

bool mfm_head_needs_images(const mfm_training *t)
{
    const head_state *s = t->method_state;
    return !mfm_frozen_features_kept(s->features);
}

/* The features lie where they are read, and stay. */
static void run(const head_state *s)
{
    mfm_plan_run(s->plan, FORWARD);
    mfm_plan_run(s->plan, BACKWARD);
}

const real *mfm_head_gradient_again(void *training)
{
    const mfm_training *t = training;
    run(t->method_state);
    return mfm_head_gradient(t);
}

double mfm_head_run(mfm_training *t, const mfm_batch *batch)
{
    const head_state *s = t->method_state;
    const mfm_problem *p = t->problem;
    mfm_problem_bind(p, s->plan, batch);
    mfm_frozen_features_of(s->features, batch,
                           mfm_plan_lane(s->plan, p->classifier.features, MFM_X));
    run(s);
    return (double)*mfm_plan_lane(s->plan, p->objective.loss, MFM_X);
}

const real *mfm_head_gradient(const mfm_training *t)
{
    const head_state *s = t->method_state;
    return s->gradient;
}

const real *mfm_head_give_gradient(const mfm_training *t, size_t link)
{
    const head_state *s = t->method_state;
    return mfm_plan_lane(s->plan, t->problem->gives[link].main, MFM_G);
}

size_t mfm_head_bytes(const mfm_training *t)
{
    const head_state *s = t->method_state;
    return mfm_plan_bytes(s->plan) + mfm_frozen_features_bytes(s->features) +
           t->problem->main->params_size * sizeof(real);
}
