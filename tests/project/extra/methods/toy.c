/* The plain loss, twice the step. */
#include "core/train/training.h"
#include "core/train/vector.h"

static const mfm_pass passes[] = {{MFM_FORWARD, MFM_SET_PLAIN_LOSS},
                                  {MFM_UPDATE, MFM_SET_PLAIN_LOSS},
                                  {MFM_VJP, MFM_SET_PLAIN_LOSS}};

typedef struct toy_state {
    mfm_plan *plan;
    real *gradient;
} toy_state;

static void end(mfm_training *t)
{
    toy_state *s = t->method_state;
    mfm_plan_free(s->plan);
    mfm_free_aligned(t->ctx, s->gradient);
    mfm_free(t->ctx, s);
    t->method_state = NULL;
}

static int begin(mfm_training *t)
{
    const mfm_problem *p = t->problem;
    toy_state *s = mfm_alloc(t->ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    t->method_state = s;
    const mfm_slot keep[2] = {{p->plain.loss, MFM_X}, {p->plain.loss, MFM_G}};
    const mfm_plan_spec spec = {.batch = t->options.batch,
                                .training = true,
                                .passes = passes,
                                .n_passes = 3,
                                .keep = keep,
                                .n_keep = 2,
                                .param_gradients = true};
    int status = mfm_plan_new(t->ctx, p->main, &spec, &s->plan);
    if (!status)
        status = mfm_vector_new(t->ctx, NULL, p->main->params_size, &s->gradient);
    if (status) {
        end(t);
        return status;
    }
    mfm_plan_bind_params(s->plan, MFM_X, t->w);
    mfm_plan_bind_params(s->plan, MFM_G, s->gradient);
    mfm_plan_bind_state(s->plan, t->state);
    *mfm_plan_lane(s->plan, p->plain.loss, MFM_G) = 1;
    return MFM_OK;
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    toy_state *s = t->method_state;
    mfm_problem_bind(t->problem, s->plan, &batches[0]);
    for (int pass = 0; pass < 3; pass++)
        mfm_plan_run(s->plan, pass);
    losses->train = (double)*mfm_plan_lane(s->plan, t->problem->plain.loss, MFM_X);
    losses->meta = 0;
    mfm_optimizer_step(&t->optimizer, 2 * lr, 1, s->gradient, t->w);
}

static size_t bytes(const mfm_training *t)
{
    const toy_state *s = t->method_state;
    return mfm_plan_bytes(s->plan);
}

const mfm_method mfm_method_toy = {.name = "toy",
                                   .summary = "twice the step",
                                   .streams = {{.name = "train", .from = MFM_FROM_TRAIN}},
                                   .begin = begin,
                                   .step = step,
                                   .end = end,
                                   .bytes = bytes};
