#include "core/train/methods/class_scales.h"

#include "core/train/features/head_training.h"
#include "core/train/problem/chain.h"

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

int mfm_class_scales_build(mfm_problem *p)
{
    if (p->spec.loss->fold)
        return mfm_fail(p->ctx, MFM_EINVAL,
                        "the loss %s has a classifier of its own, which scales would not change: "
                        "another loss",
                        p->spec.loss->name);
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

int mfm_class_scales_begin(mfm_training *t)
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

void mfm_class_scales_step(mfm_training *t, double lr, const real *gradient)
{
    mfm_hyper_state *scales = &t->hypers[0];
    mfm_optimizer_step(&scales->optimizer, lr, 1, gradient, scales->phi);
}

void mfm_class_scales_fold(const mfm_training *t, real *params)
{
    const mfm_classifier *c = &t->problem->classifier;
    for (int64_t k = 0; k < c->classes; k++) {
        const real scale = t->hypers[0].phi[k];
        mfm_classifier_scale(c, params, k, (double)scale);
        if (c->bias >= 0)
            params[mfm_classifier_bias_at(c, k)] *= scale;
    }
}
