/*
 * Feature modulation by free parameters (equations 1 to 3 of Wang et al., arXiv 2008.03428): each
 * training image has a gamma and a beta of its own for every modulated layer, learned by the meta
 * steps of the batches that it is in. They start at gamma = 1, beta = 0.
 *
 * The model's modulator says which layers; its network is neither read nor trained.
 */
#include "core/train/bilevel/meta_step.h"
#include "core/train/problem/split_network.h"

static int add_parts(mfm_problem *p, int hyper, uint32_t samples)
{
    int status = mfm_problem_use_rows(p, hyper, "modulation", samples);
    if (!status)
        status = mfm_problem_add_losses(p, MFM_SEGMENT_OBJECTIVE, "modulated_loss", &p->objective);
    if (!status)
        status =
            mfm_problem_add_mean(p, MFM_SEGMENT_OBJECTIVE, "modulated_loss", -1, &p->objective);
    return status ? status : mfm_problem_finish(p);
}

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    int hyper, input;
    *problem = NULL;
    if (options->mixing)
        return mfm_fail(ctx, MFM_ENOTSUP, "its parameters are those of single images: --mix none");
    if (!task)
        return mfm_fail(ctx, MFM_EINVAL, "the number of training images is needed");
    int status =
        mfm_problem_of_modulated(ctx, network, &spec, "modulator", problem, &hyper, &input);
    if (!status)
        status = add_parts(*problem, hyper, task->samples);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}

static int begin(mfm_training *t)
{
    return mfm_meta_step_begin(t, &mfm_modulator_training_settings);
}

static const mfm_settings *const settings[] = {&mfm_modulator_training_settings,
                                               &mfm_meta_steps_settings, NULL};

const mfm_method mfm_method_mfm_free = {
    .name = "mfm-free",
    .summary = "features scaled and shifted by parameters of each training image",
    .needs_modulator = true,
    .free_modulation = true,
    .settings = settings,
    .streams = {{.name = "train", .from = MFM_FROM_TRAIN}, {.name = "meta", .from = MFM_FROM_META}},
    .rate_option = "modulator-lr",
    .sharpens = true,
    .build = build,
    .begin = begin,
    .reads = mfm_meta_step_reads,
    .step = mfm_meta_step_run,
    .end = mfm_meta_step_end,
    .bytes = mfm_meta_step_bytes};
