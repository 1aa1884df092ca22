/*
 * Learnable weight scaling (LWS; Kang et al., ICLR 2020, section 4.2): the second of two stages.
 * The logit of each class is multiplied by a number of its own,
 *
 *     z_c = s_c (W_c f + b_c),        s_c = 1 at the start,
 *
 * and these numbers alone are trained, on batches in which every class is as frequent.
 */
#include "core/train/features/head_training.h"
#include "core/train/methods/class_scales.h"
#include "core/train/problem/split_network.h"

static int build_problem(mfm_problem *p)
{
    const mfm_classifier *c = &p->classifier;
    p->main->values[c->weight].trainable = false;
    if (c->bias >= 0)
        p->main->values[c->bias].trainable = false;
    return mfm_class_scales_build(p);
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
    mfm_class_scales_step(t, lr, gradient);
}

const mfm_method mfm_method_lws = {
    .name = "lws",
    .summary = "learnable weight scaling: one factor per class, on frozen features",
    .sampler = "class-balanced",
    .streams = {{.name = "train", .from = MFM_FROM_TRAIN}},
    .sharpens = true,
    .keeps_model = true,
    .build = build,
    .begin = mfm_class_scales_begin,
    .step = step,
    .fold = mfm_class_scales_fold,
    .end = mfm_head_end,
    .bytes = mfm_head_bytes};
