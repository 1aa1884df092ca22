/* train: reads and checks everything, then hands over to the training loop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/samplers/sampler.h"
#include "core/train/trainer.h"
#include "onnx/checkpoint.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/options/option_json.h"
#include "tools/train/session.h"
#include "tools/threads.h"
#include "tools/train/ranks.h"
#include "tools/train/job/train_seeds.h"

/* The model that is trained: the checkpoint's, or the one given with a modulator put in. */
static int load_model(mfm_train_job *job, const mfm_arguments *given)
{
    const bool of_checkpoint = job->run_model && job->arguments.resume;
    int status = MFM_OK;
    job->session.view = job->arguments.view;
    if (!of_checkpoint)
        status = mfm_session_load(&job->session, job->model_path);
    if (!status && !of_checkpoint)
        status = mfm_train_job_hash_model(job);
    if (status)
        return status;
    if (job->arguments.resume) {
        status = mfm_train_job_load_checkpoint(job);
        return status ? status : mfm_view_apply(job->ctx, &job->session.view, job->session.model);
    }
    status = mfm_train_job_check_sibling(job);
    if (!status)
        status = mfm_train_job_inject(job, given);
    return status ? status : mfm_train_job_branch(job, given);
}

/* Steps that change nothing are refused before the first. */
static int check_trainable(const mfm_train_job *job)
{
    const mfm_graph *graph = job->session.problem->main;
    if (job->session.problem->trains_hypers)
        return MFM_OK;
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == MFM_VALUE_PARAM && graph->values[i].trainable)
            return MFM_OK;
    return mfm_fail(job->ctx, MFM_EINVAL,
                    "%s: nothing is left to train: inspect --tensors, with the same --freeze "
                    "and the like, tells why",
                    job->model_path);
}

static int prepare(mfm_train_job *job, const mfm_arguments *given)
{
    const mfm_train_arguments *a = &job->arguments;
    mfm_images_wanted wanted = {.specification = a->data,
                                .options = a->parts,
                                .parts = MFM_PART_TRAIN | MFM_PART_TEST,
                                .normalise = a->normalisation.whose,
                                .normalisation = a->normalisation,
                                .training = true};
    int status = mfm_fit_of(job->ctx, a->fit, a->pad, &wanted.fit);
    if (!status)
        status = mfm_train_augment(job->ctx, a, &wanted.augment);
    if (!status)
        status = load_model(job, given);
    job->session.choice = mfm_role_choice_of(&a->roles);
    if (!status)
        status = mfm_session_import(&job->session);
    if (!status)
        status = mfm_session_open_data(&job->session, &wanted);
    if (!status)
        status = mfm_train_job_make_split(job);
    if (!status)
        status = mfm_train_job_check_images(job);
    mfm_train_options options = mfm_train_options_of(&job->form, a);
    if (!status)
        status = mfm_train_check_arrays(job->ctx, &options, &job->session.preprocess);
    if (!status)
        status = mfm_train_job_fit_batches(job, given, &options);
    if (!status)
        status = mfm_train_job_describe_data(job);
    if (status)
        return status;
    status = mfm_train_job_build(job, &options);
    if (!status)
        status = check_trainable(job);
    if (!status)
        mfm_session_no_effect(&job->session, &job->form.table, given);
    if (!status)
        mfm_train_warn_of_roles(job->ctx, &job->form, options.method, job->session.problem, given);
    if (!status && job->session.problem->prefix.graph && a->features.cache)
        status = mfm_check_folder(job->ctx, a->features.cache);
    if (!status && !job->session.problem->prefix.graph)
        mfm_features_no_effect(job->ctx, &job->form.table, given, "no layer is frozen");
    if (!status)
        status = mfm_training_new(job->ctx, job->session.problem, &options, &job->training);
    if (!status)
        mfm_train_job_warn_of_bias(job);
    if (!status && a->resume)
        status = mfm_checkpoint_restore(job->ctx, job->session.model, job->training);
    return status;
}

/* The options of a fresh run: what the command line alone tells, then where results go. */
static int check_fresh(mfm_train_job *job, mfm_arguments *given)
{
    mfm_train_arguments *a = &job->arguments;
    int status = MFM_OK;
    if (!job->stored) /* options of another run have the recipe in them */
        status = mfm_train_take_recipe(job->ctx, &job->form, a, given);
    if (!status)
        status = mfm_train_arguments_settle(job->ctx, &job->form, a, given);
    if (!status && !mfm_ranks_lead(job->ranks))
        return mfm_run_folder_name(job->ctx, a->run, a->output, &job->folder);
    if (!status)
        status = mfm_check_output(job->ctx, a->output, job->model_path);
    return status ? status : mfm_run_folder_init(job->ctx, a->run, a->output, false, &job->folder);
}

/* Those of a run that goes on are not complete before its checkpoint has been read. */
static int check_resumed(mfm_train_job *job, mfm_arguments *given)
{
    mfm_train_arguments *a = &job->arguments;
    if (!a->output && !a->run)
        return mfm_fail(job->ctx, MFM_EUSAGE, "--resume: which run? give -o FILE or --run DIR");
    const bool leads = mfm_ranks_lead(job->ranks);
    int status = leads ? mfm_run_folder_init(job->ctx, a->run, a->output, true, &job->folder)
                       : mfm_run_folder_name(job->ctx, a->run, a->output, &job->folder);
    if (!status)
        status = mfm_train_job_adopt_run(job, given);
    if (!status)
        status = mfm_train_arguments_settle(job->ctx, &job->form, a, given);
    return status || !leads ? status : mfm_check_output(job->ctx, a->output, job->model_path);
}

/* A signal at one rank is one at all of them, and what the numbers have come to is the same. */
static int train(mfm_train_job *job)
{
    const mfm_train_data data = {.dataset = job->session.dataset,
                                 .split = job->split,
                                 .preprocess = &job->session.preprocess};
    const bool leads = mfm_ranks_lead(job->ranks);
    const mfm_train_events none = {.self = NULL};
    const mfm_train_events events = leads ? mfm_train_job_events(job) : none;
    job->ranks->begun = true;
    mfm_interrupt_catch(leads ? "stopping after this step" : NULL);
    const int status = mfm_train(job->training, &data, &events, mfm_interrupt_signal());
    if (leads)
        mfm_meter_clear(&job->meter);
    if (status == MFM_EINTR)
        mfm_interrupt_note(mfm_comm_max(job->ranks->comm, *mfm_interrupt_signal()));
    return status == MFM_EINTR || status == MFM_ENAN ? mfm_ranks_alike(job->ranks, status) : status;
}

/* What makes this run one of several. A split seed of its own, or that of the run that goes on. */
static int take_place(mfm_train_job *job, const mfm_train_place *place, mfm_arguments *given)
{
    mfm_train_arguments *a = &job->arguments;
    const mfm_option_table *table = &job->form.table;
    int status = MFM_OK;
    bool own_split = !mfm_option_given(table, given, "split-seed");
    if (place->like) {
        status = mfm_train_job_adopt_sibling(job, place->like, given);
        own_split &= a->split.split_seed == a->seed;
    }
    a->seed = place->seed;
    a->output = place->output;
    a->run = place->run;
    a->resume = place->resume;
    if (own_split)
        a->split.split_seed = place->seed;
    mfm_option_give(table, given, "seed");
    mfm_option_give(table, given, "output");
    return status;
}

/* All that can be wrong before a file is written, which the ranks then know of each other. */
static int get_ready(mfm_train_job *job, mfm_arguments *given, unsigned threads)
{
    int status = MFM_OK;
    if (!job->model_path && !job->arguments.resume)
        status = mfm_fail(job->ctx, MFM_EUSAGE, "no MODEL given: it comes first");
    if (!status)
        status = job->arguments.resume ? check_resumed(job, given) : check_fresh(job, given);
    if (!status)
        status = mfm_use_threads(
            job->ctx, job->arguments.threads ? (unsigned)job->arguments.threads : threads,
            &job->threads);
    if (!status)
        status = prepare(job, given);
    if (!status && mfm_ranks_lead(job->ranks))
        status = mfm_train_job_rehearse(job);
    return status;
}

/* Rank 0 alone has files. */
static int begin(mfm_train_job *job)
{
    int status = MFM_OK;
    if (mfm_ranks_lead(job->ranks)) {
        status = mfm_train_job_begin(job);
        if (!status)
            status = mfm_train_job_renew(job);
    }
    status = mfm_ranks_agree(job->ranks, status);
    if (!status)
        mfm_comm_broadcast(job->ranks->comm, &job->training->counters,
                           sizeof job->training->counters);
    return status;
}

static int run_job(mfm_train_job *job, mfm_arguments *given)
{
    const bool leads = mfm_ranks_lead(job->ranks);
    const unsigned threads = mfm_ranks_threads(job->ranks);
    job->ranks->begun = false; /* whatever the run before has done */
    mfm_comm_set_timeout(job->ranks->comm, job->arguments.ranks.timeout);
    int status = mfm_ranks_agree(job->ranks, get_ready(job, given, threads));
    if (!status)
        status = mfm_train_job_compare(job);
    if (!status)
        status = begin(job);
    if (!status)
        status = train(job);
    if (!status)
        status = mfm_ranks_agree(job->ranks, leads ? mfm_train_job_finish(job) : MFM_OK);
    return status == MFM_EINTR && leads ? mfm_train_job_interrupted(job) : status;
}

static int train_one(mfm_ranks *ranks, int argc, const char **argv, const mfm_train_place *place,
                     mfm_train_results *results)
{
    mfm_ctx *ctx = ranks->ctx;
    mfm_train_job job = {.ctx = ctx,
                         .ranks = ranks,
                         .session = {.ctx = ctx},
                         .folder = {.ctx = ctx, .lock = -1, .log = -1},
                         .results = mfm_train_results_none};
    mfm_arguments given;
    mfm_train_form_init(&job.form, &job.arguments);
    job.arguments.comm = ranks->comm;
    int status = mfm_options_parse(ctx, &job.form.table, argc, argv, &job.arguments, &given);
    const bool several = !status && job.arguments.seeds && !place;
    job.model_path = given.positional;
    if (!status && place)
        status = take_place(&job, place, &given);
    status = mfm_ranks_agree(ranks, status);
    if (!status && !place)
        status = mfm_train_job_compare_start(&job);
    if (several && !status)
        status = mfm_train_seeds(ranks, argc, argv, &job.arguments,
                                 mfm_option_given(&job.form.table, &given, "seed"), train_one);
    else if (!status)
        status = run_job(&job, &given);
    if (results)
        *results = job.results;
    mfm_train_job_clear(&job);
    mfm_arguments_free(ctx, &given);
    return status;
}

int mfm_cmd_train(mfm_ctx *ctx, int argc, const char **argv)
{
    mfm_ranks ranks;
    if (mfm_launch_of().rank == 0)
        mfm_interrupt_end("interrupted before the training began");
    const int status = mfm_ranks_open(ctx, &ranks);
    return mfm_ranks_close(&ranks, status ? status : train_one(&ranks, argc, argv, NULL, NULL));
}
