#include "core/train/features/head_training.h"

#include "core/train/comm/gradient_sum.h"
#include "core/train/vector.h"

enum { FORWARD, UPDATE, BACKWARD, PASSES };

static const char *const pass_names[PASSES] = {[FORWARD] = "classifier forward",
                                               [UPDATE] = "running statistics",
                                               [BACKWARD] = "classifier backward"};

typedef struct head_state {
    mfm_plan *plan;
    mfm_gradient_sum *sum;
    real *gradient;
} head_state;

void mfm_head_end(mfm_training *t)
{
    head_state *s = t->method_state;
    if (!s)
        return;
    mfm_plan_free(s->plan);
    mfm_gradient_sum_free(s->sum);
    mfm_free_aligned(t->ctx, s->gradient);
    mfm_free(t->ctx, s);
    t->method_state = NULL;
}

static int make_plan(mfm_training *t, head_state *s)
{
    const mfm_problem *p = t->problem;
    const uint32_t loss =
        p->objective.loss == p->plain.loss ? MFM_SEGMENT_PLAIN_LOSS : MFM_SEGMENT_OBJECTIVE;
    const uint32_t set = MFM_SET_PLAIN | 1u << loss;
    const mfm_pass passes[PASSES] = {
        [FORWARD] = {MFM_FORWARD, set}, [UPDATE] = {MFM_UPDATE, set}, [BACKWARD] = {MFM_VJP, set}};
    mfm_slot *keep = mfm_alloc(t->ctx, 2 + p->n_gives, sizeof *keep);
    int n = 0;
    if (!keep)
        return MFM_ENOMEM;
    keep[n++] = (mfm_slot){p->objective.loss, MFM_X};
    keep[n++] = (mfm_slot){p->objective.loss, MFM_G};
    for (size_t i = 0; i < p->n_gives; i++)
        keep[n++] = (mfm_slot){p->gives[i].main, MFM_G};
    const mfm_share share = mfm_training_share(t);
    const mfm_plan_spec spec = {.batch = mfm_share_count(&share),
                                .share = share,
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
        status = mfm_training_gradient_sum(t, &s->sum);
    if (status)
        mfm_head_end(t);
    else
        bind(t, s);
    return status;
}

/* Of the parameters and of what hyper graphs give, over all ranks: neither has a row a sample. */
static void run_backward(const mfm_training *t)
{
    const head_state *s = t->method_state;
    const mfm_problem *p = t->problem;
    mfm_gradient_sum_run(s->sum, s->plan, BACKWARD, s->gradient);
    for (size_t i = 0; i < p->n_gives; i++)
        mfm_training_sum(t, mfm_plan_lane(s->plan, p->gives[i].main, MFM_G),
                         (size_t)mfm_shape_count(mfm_plan_shape(s->plan, p->gives[i].main)));
}

const real *mfm_head_gradient_again(void *training)
{
    const mfm_training *t = training;
    const head_state *s = t->method_state;
    mfm_plan_run(s->plan, FORWARD); /* features lie where they are read, and stay */
    run_backward(t);
    return mfm_head_gradient(t);
}

double mfm_head_run(mfm_training *t, const mfm_batch *batch)
{
    const head_state *s = t->method_state;
    const mfm_problem *p = t->problem;
    mfm_problem_bind(p, s->plan, batch);
    mfm_plan_set_step(s->plan, MFM_STREAM_DROPOUT, t->options.seed, t->counters.step);
    mfm_plan_run(s->plan, FORWARD);
    mfm_plan_run(s->plan, UPDATE);
    run_backward(t);
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
    return mfm_plan_bytes(s->plan) + t->problem->main->params_size * sizeof(real);
}
