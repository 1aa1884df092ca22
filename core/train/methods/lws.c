/*
 * Learnable weight scaling (LWS; Kang et al., ICLR 2020, section 4.2): the second of two stages.
 * The logit of each class is multiplied by a number of its own,
 *
 *     z_c = s_c (W_c f + b_c),        s_c = 1 at the start,
 *
 * and these numbers alone are trained, on batches in which every class is as frequent. The authors'
 * code scales the bias too. What is written has s folded into W and b: a plain classifier.
 */
#include "core/train/problem/chain.h"
#include "core/train/features/head_training.h"
#include "core/train/problem/split_network.h"

/* A hyper graph of one parameter s [classes], which is what it gives. */
static int add_scales(mfm_problem *p, int *input)
{
    const mfm_shape shape = mfm_shape_of(1, p->classes);
    mfm_graph *graph;
    int scales, hyper;
    int status = mfm_graph_new(p->ctx, &graph);
    if (!status)
        status = mfm_problem_add_hyper(p, "lws", MFM_HYPER_GRAPH, graph, 0, &hyper);
    real *ones = status ? NULL : mfm_alloc(p->ctx, (size_t)p->classes, sizeof *ones);
    if (!status && !ones)
        status = MFM_ENOMEM;
    for (int64_t c = 0; !status && c < p->classes; c++)
        ones[c] = 1;
    if (!status)
        status = mfm_graph_param(graph, "scales", &shape, ones, &scales);
    if (!status)
        status = mfm_graph_input(p->main, "lws.scales", MFM_DATA, &shape, input);
    if (!status)
        status = mfm_problem_give(p, hyper, scales, *input);
    mfm_free(p->ctx, ones);
    return status;
}

static int add_objective(mfm_problem *p)
{
    mfm_path *o = &p->objective;
    int scales = -1;
    mfm_chain c = {.graph = p->main,
                   .segment = MFM_SEGMENT_OBJECTIVE,
                   .name = "lws.logits",
                   .last = p->plain.logits};
    c.status = add_scales(p, &scales);
    mfm_chain_add(&c, "Mul", NULL, scales, -1);
    o->logits = c.last;
    int status = c.status;
    if (!status)
        status = mfm_problem_add_losses(p, MFM_SEGMENT_OBJECTIVE, "lws.loss", o);
    if (!status)
        status = mfm_problem_add_mean(p, MFM_SEGMENT_OBJECTIVE, "lws.loss", -1, o);
    p->trains_hypers = true;
    return status ? status : mfm_problem_finish(p);
}

static int build_problem(mfm_problem *p)
{
    const mfm_classifier *c = &p->classifier;
    if (p->spec.loss->fold)
        return mfm_fail(p->ctx, MFM_EINVAL,
                        "the loss %s has a classifier of its own, which scales would not change: "
                        "another loss",
                        p->spec.loss->name);
    p->main->values[c->weight].trainable = false;
    if (c->bias >= 0)
        p->main->values[c->bias].trainable = false;
    return add_objective(p);
}

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    int status = mfm_problem_of_features(ctx, network, &spec, "weight scaling", problem);
    if (!status)
        status = build_problem(*problem);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}

static int begin(mfm_training *t)
{
    mfm_hyper_state *scales = &t->hypers[0];
    int status = mfm_training_add_hyper(t, 0, NULL);
    if (!status)
        status = mfm_training_make_optimizer(t, t->problem->hypers[0].graph, &scales->optimizer);
    if (!status)
        status = mfm_training_keep_optimizer(t, "lws.", &scales->optimizer);
    if (!status)
        status = mfm_sharpness_init(t->ctx, &scales->sharpness, t->options.sharpness,
                                    t->problem->hypers[0].graph);
    return status ? status : mfm_head_begin(t);
}

static const real *gradient_again(void *training)
{
    mfm_head_gradient_again(training);
    return mfm_head_give_gradient(training, 0);
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    mfm_hyper_state *scales = &t->hypers[0];
    *losses = (mfm_step_losses){.train = mfm_head_run(t, &batches[0])};
    const real *gradient =
        mfm_sharpen(&scales->sharpness, t->problem->hypers[0].graph, mfm_head_give_gradient(t, 0),
                    scales->phi, gradient_again, t);
    mfm_optimizer_step(&scales->optimizer, lr, 1, gradient, scales->phi);
}

static void fold(const mfm_training *t, real *params)
{
    const mfm_classifier *c = &t->problem->classifier;
    for (int64_t k = 0; k < c->classes; k++) {
        const real scale = t->hypers[0].phi[k];
        mfm_classifier_scale(c, params, k, (double)scale);
        if (c->bias >= 0)
            params[mfm_classifier_bias_at(c, k)] *= scale;
    }
}

const mfm_method mfm_method_lws = {
    .name = "lws",
    .summary = "learnable weight scaling: one factor per class, on frozen features",
    .sampler = "class-balanced",
    .streams = {{.name = "train", .from = MFM_FROM_TRAIN}},
    .sharpens = true,
    .keeps_model = true,
    .build = build,
    .begin = begin,
    .step = step,
    .fold = fold,
    .end = mfm_head_end,
    .bytes = mfm_head_bytes};
