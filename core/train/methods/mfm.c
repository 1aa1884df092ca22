/*
 * Meta Feature Modulator (Wang et al., arXiv 2008.03428): h = (gamma, beta) of features, from the
 * soft label y0 = softmax(f(x; w)) of the plain network, by the modulator that the model has.
 */
#include "core/train/bilevel.h"
#include "core/train/split_network.h"
#include "core/train/training.h"

enum { TRAIN, META };

/* The objective: the loss of the modulated path. */
static int add_objective(mfm_problem *p, int hyper, int soft_label_input)
{
    int soft_label;
    mfm_path *o = &p->objective;
    int status = mfm_problem_node(p, MFM_SEGMENT_SOURCE, "soft_label", "", "Softmax", 13, NULL,
                                  &p->plain.logits, 1, &soft_label);
    if (!status)
        status = mfm_problem_read(p, soft_label, hyper, soft_label_input);
    if (!status)
        status = mfm_problem_add_losses(p, MFM_SEGMENT_OBJECTIVE, "modulated_loss", o);
    if (!status)
        status = mfm_problem_add_mean(p, MFM_SEGMENT_OBJECTIVE, "modulated_loss", -1, o);
    return status ? status : mfm_problem_finish(p);
}

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    int hyper, input;
    int status =
        mfm_problem_of_modulated(ctx, network, &spec, "modulator", problem, &hyper, &input);
    if (!status)
        status = add_objective(*problem, hyper, input);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}

static const mfm_modulator_training *modulator_training(const mfm_training *t)
{
    return mfm_chosen_values(&t->options, &mfm_modulator_training_settings);
}

static int begin(mfm_training *t)
{
    const mfm_bilevel_spec spec = {.batch = t->options.batch, .meta_batch = t->options.meta_batch};
    mfm_bilevel *bilevel;
    int status = mfm_training_add_hyper(t, 0, modulator_training(t));
    if (!status)
        status = mfm_bilevel_new(t->ctx, t->problem, &spec, &bilevel);
    if (status)
        return status;
    mfm_bilevel_bind(bilevel, t->w, t->state, &t->hypers[0].phi);
    t->method_state = bilevel;
    return MFM_OK;
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    mfm_bilevel *b = t->method_state;
    mfm_hyper_state *modulator = &t->hypers[0];
    mfm_bilevel_begin(b, &batches[TRAIN], NULL, t->options.seed, t->counters.step);
    mfm_bilevel_virtual(b, &batches[META], &(mfm_virtual_step){.alpha = lr});
    mfm_optimizer_step(&modulator->optimizer, mfm_modulator_lr(modulator_training(t)), -lr,
                       mfm_bilevel_hypergradients(b)[0], modulator->phi);
    mfm_optimizer_step(&t->optimizer, lr, 1, mfm_bilevel_gradient(b), t->w);
    const mfm_bilevel_losses last = mfm_bilevel_last(b);
    *losses = (mfm_step_losses){.train = last.train, .meta = last.meta};
}

static void end(mfm_training *t)
{
    mfm_bilevel_free(t->method_state);
    t->method_state = NULL;
}

static size_t bytes(const mfm_training *t)
{
    return mfm_bilevel_bytes(t->method_state);
}

static const mfm_settings *const settings[] = {&mfm_modulator_training_settings, NULL};

const mfm_method mfm_method_mfm = {
    .name = "mfm",
    .summary = "Meta Feature Modulator: exact bilevel step",
    .needs_modulator = true,
    .settings = settings,
    .streams = {[TRAIN] = {"train", MFM_FROM_TRAIN, NULL}, [META] = {"meta", MFM_FROM_META, NULL}},
    .rate_option = "modulator-lr",
    .build = build,
    .begin = begin,
    .step = step,
    .end = end,
    .bytes = bytes};
