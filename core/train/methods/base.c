/* The loss on the plain network: the baseline. A modulator in the model is left as it is. */
#include "core/train/methods/base.h"
#include "core/train/comm/gradient_sum.h"
#include "core/train/training.h"
#include "core/train/vector.h"

static const char *kept_anyway(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return run->options->sharpness > 0 ? "sharpness-aware steps keep them" : NULL;
}

static const mfm_option table[] = {
    {.name = "less-memory",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(mfm_base_values, less_memory),
     .scope = MFM_OPTION_CHANGEABLE,
     .idle = kept_anyway,
     .help = "compute the outputs of normalisations again for the backward pass instead of keeping "
             "them: the same results with up to a quarter less memory, a few percent slower; "
             "sharpness-aware steps keep them"},
};
static const mfm_base_values defaults;
const mfm_settings mfm_base_settings = MFM_SETTINGS("The plain step", table, defaults);

enum { FORWARD, UPDATE, BACKWARD, FORWARD_AGAIN, BACKWARD_AGAIN, PASSES };

static const mfm_pass passes[PASSES] = {
    [FORWARD] = {MFM_FORWARD, MFM_SET_PLAIN_LOSS},
    [UPDATE] = {MFM_UPDATE, MFM_SET_PLAIN_LOSS},
    [BACKWARD] = {MFM_VJP, MFM_SET_PLAIN_LOSS},
    /* Sharpness-aware steps: at the weights that were climbed to. */
    [FORWARD_AGAIN] = {MFM_FORWARD, MFM_SET_PLAIN_LOSS},
    [BACKWARD_AGAIN] = {MFM_VJP, MFM_SET_PLAIN_LOSS},
};

typedef struct base_state {
    mfm_plan *plan;
    mfm_gradient_sum *sum;
    real *gradient;
} base_state;

static void end(mfm_training *t)
{
    base_state *s = t->method_state;
    if (!s)
        return;
    mfm_plan_free(s->plan);
    mfm_gradient_sum_free(s->sum);
    mfm_free_aligned(t->ctx, s->gradient);
    mfm_free(t->ctx, s);
    t->method_state = NULL;
}

static int begin(mfm_training *t)
{
    base_state *s = mfm_alloc(t->ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    t->method_state = s;
    const mfm_slot keep[2] = {{t->problem->plain.loss, MFM_X}, {t->problem->plain.loss, MFM_G}};
    const mfm_base_values *values = mfm_chosen_values(&t->options, &mfm_base_settings);
    const bool sharp = mfm_sharpness_on(&t->sharpness); /* whose second pass keeps them anyway */
    const mfm_share share = mfm_training_share(t);
    const mfm_plan_spec spec = {.batch = mfm_share_count(&share),
                                .share = share,
                                .training = true,
                                .passes = passes,
                                .n_passes = sharp ? PASSES : FORWARD_AGAIN,
                                .keep = keep,
                                .n_keep = 2,
                                .param_gradients = true,
                                .restore = values->less_memory && !sharp,
                                .restore_after = UPDATE};
    int status = mfm_plan_new(t->ctx, t->problem->main, &spec, &s->plan);
    if (!status)
        status = mfm_vector_new(t->ctx, NULL, t->problem->main->params_size, &s->gradient);
    if (!status)
        status = mfm_training_gradient_sum(t, &s->sum);
    if (status) {
        end(t);
        return status;
    }
    mfm_plan_bind_params(s->plan, MFM_X, t->w);
    mfm_plan_bind_params(s->plan, MFM_G, s->gradient);
    mfm_plan_bind_state(s->plan, t->state);
    *mfm_plan_lane(s->plan, t->problem->plain.loss, MFM_G) = 1;
    return MFM_OK;
}

static const real *run_backward(const base_state *s, int pass)
{
    mfm_gradient_sum_run(s->sum, s->plan, pass, s->gradient);
    return s->gradient;
}

static const real *gradient_again(void *self)
{
    const base_state *s = self;
    mfm_plan_run(s->plan, FORWARD_AGAIN);
    return run_backward(s, BACKWARD_AGAIN);
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    const mfm_batch *train = &batches[0];
    base_state *s = t->method_state;
    mfm_problem_bind(t->problem, s->plan, train);
    mfm_plan_set_step(s->plan, MFM_STREAM_DROPOUT, t->options.seed, t->counters.step);
    mfm_plan_run(s->plan, FORWARD);
    *losses =
        (mfm_step_losses){.train = (double)*mfm_plan_lane(s->plan, t->problem->plain.loss, MFM_X)};
    mfm_plan_run(s->plan, UPDATE);
    const real *gradient = mfm_sharpen(&t->sharpness, t->problem->main, run_backward(s, BACKWARD),
                                       t->w, gradient_again, s);
    mfm_optimizer_step(&t->optimizer, lr, 1, gradient, t->w);
}

static size_t bytes(const mfm_training *t)
{
    const base_state *s = t->method_state;
    return mfm_plan_bytes(s->plan) + t->problem->main->params_size * sizeof(real);
}

static const mfm_settings *const settings[] = {&mfm_base_settings, NULL};

const mfm_method mfm_method_base = {.name = "base",
                                    .summary = "the loss on the plain network",
                                    .sharpens = true,
                                    .settings = settings,
                                    .streams = {{.name = "train", .from = MFM_FROM_TRAIN}},
                                    .begin = begin,
                                    .step = step,
                                    .end = end,
                                    .bytes = bytes};
