/*
 * Bilateral-Branch Network (Zhou et al., CVPR 2020): two branches on a shared trunk, one fed as the
 * images come, one with rare classes the most; what is learned moves from the first to the second
 * over the epochs T = 1 .. Tmax:
 *
 *     a = 1 - ((T - 1) / Tmax)^2
 *
 * The objective is that of core/train/problem/branches.h. Running statistics follow both batches,
 * the conventional one first, as in the authors' code.
 */
#include "core/train/comm/gradient_sum.h"
#include "core/train/problem/branches.h"
#include "core/train/training.h"
#include "core/train/vector.h"

enum { CONVENTIONAL, REBALANCING };
enum { FORWARD, UPDATE, BACKWARD, FORWARD_AGAIN, BACKWARD_AGAIN, PASSES };

static const mfm_pass passes[PASSES] = {
    [FORWARD] = {MFM_FORWARD, MFM_SET_OBJECTIVE},
    [UPDATE] = {MFM_UPDATE, MFM_SET_OBJECTIVE},
    [BACKWARD] = {MFM_VJP, MFM_SET_OBJECTIVE},
    /* Sharpness-aware steps: at the weights that were climbed to. */
    [FORWARD_AGAIN] = {MFM_FORWARD, MFM_SET_OBJECTIVE},
    [BACKWARD_AGAIN] = {MFM_VJP, MFM_SET_OBJECTIVE},
};

typedef struct bbn_state {
    mfm_branch_inputs inputs;
    mfm_plan *plan;
    mfm_gradient_sum *sum;
    real *gradient, *share;
} bbn_state;

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    *problem = NULL;
    if (options->mixing)
        return mfm_fail(ctx, MFM_ENOTSUP, "it mixes the features of two batches: --mix none");
    return mfm_problem_of_branches(ctx, network, &spec, problem);
}

static void end(mfm_training *t)
{
    bbn_state *s = t->method_state;
    if (!s)
        return;
    mfm_plan_free(s->plan);
    mfm_gradient_sum_free(s->sum);
    mfm_free_aligned(t->ctx, s->gradient);
    mfm_free_aligned(t->ctx, s->share);
    mfm_free(t->ctx, s);
    t->method_state = NULL;
}

static int make(mfm_training *t, bbn_state *s)
{
    const int loss = t->problem->objective.loss;
    const mfm_slot keep[2] = {{loss, MFM_X}, {loss, MFM_G}};
    const mfm_share share = mfm_training_share(t);
    const mfm_plan_spec spec = {.batch = mfm_share_count(&share),
                                .share = share,
                                .training = true,
                                .passes = passes,
                                .n_passes =
                                    mfm_sharpness_on(&t->sharpness) ? PASSES : FORWARD_AGAIN,
                                .keep = keep,
                                .n_keep = 2,
                                .param_gradients = true};
    s->inputs = mfm_problem_branch_inputs(t->problem);
    int status = mfm_plan_new(t->ctx, t->problem->main, &spec, &s->plan);
    if (!status)
        status = mfm_vector_new(t->ctx, NULL, t->problem->main->params_size, &s->gradient);
    if (!status)
        status = mfm_training_gradient_sum(t, &s->sum);
    return status ? status : mfm_vector_new(t->ctx, NULL, 1, &s->share);
}

static int begin(mfm_training *t)
{
    bbn_state *s = mfm_alloc(t->ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    t->method_state = s;
    const int status = make(t, s);
    if (status) {
        end(t);
        return status;
    }
    mfm_plan_bind_params(s->plan, MFM_X, t->w);
    mfm_plan_bind_params(s->plan, MFM_G, s->gradient);
    mfm_plan_bind_state(s->plan, t->state);
    mfm_plan_bind_input(s->plan, s->inputs.share, MFM_X, s->share);
    *mfm_plan_lane(s->plan, t->problem->objective.loss, MFM_G) = 1;
    return MFM_OK;
}

static double share_of(const mfm_training *t)
{
    const double behind = (double)t->epoch / (double)t->options.epochs;
    return 1 - behind * behind;
}

static const real *run_backward(const bbn_state *s, int pass)
{
    mfm_gradient_sum_run(s->sum, s->plan, pass, s->gradient);
    return s->gradient;
}

static const real *gradient_again(void *self)
{
    const bbn_state *s = self;
    mfm_plan_run(s->plan, FORWARD_AGAIN);
    return run_backward(s, BACKWARD_AGAIN);
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    bbn_state *s = t->method_state;
    const mfm_batch *rebalancing = &batches[REBALANCING];
    *s->share = (real)share_of(t);
    mfm_problem_bind(t->problem, s->plan, &batches[CONVENTIONAL]);
    if (s->inputs.images >= 0)
        mfm_plan_bind_input(s->plan, s->inputs.images, MFM_X, (real *)rebalancing->images);
    for (size_t i = 0; i < t->problem->prefix.n; i++)
        mfm_plan_bind_input(s->plan, s->inputs.features + (int)i, MFM_X,
                            (real *)rebalancing->features[i]);
    mfm_plan_bind_input(s->plan, s->inputs.labels, MFM_X, (real *)rebalancing->labels);
    mfm_plan_set_step(s->plan, MFM_STREAM_DROPOUT, t->options.seed, t->counters.step);
    mfm_plan_run(s->plan, FORWARD);
    *losses = (mfm_step_losses){
        .train = (double)*mfm_plan_lane(s->plan, t->problem->objective.loss, MFM_X)};
    mfm_plan_run(s->plan, UPDATE);
    const real *gradient = mfm_sharpen(&t->sharpness, t->problem->main, run_backward(s, BACKWARD),
                                       t->w, gradient_again, s);
    mfm_optimizer_step(&t->optimizer, lr, 1, gradient, t->w);
}

static size_t bytes(const mfm_training *t)
{
    const bbn_state *s = t->method_state;
    return mfm_plan_bytes(s->plan) + (t->problem->main->params_size + 1) * sizeof(real);
}

typedef struct bbn_values {
    const char *layer;
} bbn_values;

static const mfm_option table[] = {
    {.name = "branch",
     .kind = MFM_OPTION_STRING,
     .value = "L",
     .offset = offsetof(bbn_values, layer),
     .help = "the first layer that each branch has for itself (default: the last residual block)"},
};
static const bbn_values defaults = {.layer = NULL};
static const mfm_settings branch_settings = MFM_SETTINGS("Two branches", table, defaults);
static const mfm_settings *const settings[] = {&branch_settings, NULL};

static const char *branch_layer(const mfm_train_options *options)
{
    const bbn_values *v = mfm_chosen_values(options, &branch_settings);
    return v->layer;
}

const mfm_method mfm_method_bbn = {
    .name = "bbn",
    .summary = "Bilateral-Branch Network: a conventional and a re-balancing branch",
    .settings = settings,
    .branch_layer = branch_layer,
    .streams = {[CONVENTIONAL] = {.name = "conventional", .from = MFM_FROM_TRAIN},
                [REBALANCING] = {.name = "re-balancing",
                                 .from = MFM_FROM_TRAIN,
                                 .sampler = "reversed"}},
    .sharpens = true,
    .needs_end = true,
    .rebalances = true,
    .build = build,
    .begin = begin,
    .step = step,
    .end = end,
    .bytes = bytes};
