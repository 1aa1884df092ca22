/*
 * One `onnx-mfm train`: everything it holds, and the stations it goes through. cmd_train.c has the
 * order; train_job.c prepares, train_results.c keeps and tells what comes out.
 */
#ifndef MFM_TRAIN_JOB_H
#define MFM_TRAIN_JOB_H

#include "core/train/trainer.h"
#include "tools/show/meter.h"
#include "tools/train/ranks.h"
#include "tools/train/run_folder.h"
#include "tools/train/session.h"
#include "tools/train/job/train_options.h"

/* What a run came to, in percent; NAN: it has no such thing. */
typedef struct mfm_train_results {
    double test_error;        /* of the last epoch */
    double many, medium, few; /* mean recall of classes with so many training images */
    double chance_error;      /* of always giving the most frequent class of the test images */
    double validation_error;  /* of the last epoch */
    double best_validation_error, best_validation_test_error;
} mfm_train_results;

extern const mfm_train_results mfm_train_results_none;

typedef struct mfm_train_job {
    mfm_ctx *ctx;
    mfm_ranks *ranks;
    const char *model_path; /* as given, or the run's */
    char *run_model;        /* which owns that one */
    mfm_form form;
    mfm_train_arguments arguments;
    int threads;
    uint64_t model_hash;   /* FNV-1a of 64 bits over the bytes of the model given */
    uint64_t architecture; /* of the model given (onnx/info/structure.h); 0: not known */
    mfm_session session;
    mfm_model *checkpoint; /* of the run that goes on, until it becomes the session's model */
    json_t *stored;        /* what that run told of itself */
    mfm_split *split;
    uint64_t test_hash; /* of the test images (core/data/split.h) */
    mfm_training *training;
    mfm_run_folder folder;
    char *run_text; /* run.json: goes into every checkpoint */
    mfm_meter meter;
    mfm_train_results results;   /* once it is finished */
    const mfm_confusion *latest; /* of the epoch that was finished last; NULL before one */
    double page_seconds;         /* of the monotonic clock when report.html was written last */
    bool trained_before;         /* by another run, as its file tells */
    char *weights; /* the file beside the output that they lie in; NULL: in the output itself */
} mfm_train_job;

/* Reads the run folder's checkpoint and takes over the run's options, and its model's name where
 * none is given. */
int mfm_train_job_adopt_run(mfm_train_job *job, mfm_arguments *given);
/* Takes over the options and the model that run.json of another run tells, but for what is given:
 * that must be the same. Seeds and output are the caller's to set afterwards. */
int mfm_train_job_adopt_sibling(mfm_train_job *job, const char *run_json, mfm_arguments *given);
/* MFM_EINVAL when the model is not that of the run whose options were taken over. */
int mfm_train_job_check_sibling(const mfm_train_job *job);
int mfm_train_job_hash_model(mfm_train_job *job);
/* The checkpoint becomes the model. MFM_EINVAL when a model is given and the run began with
 * another. */
int mfm_train_job_load_checkpoint(mfm_train_job *job);
/* Puts a modulator in where the method needs one and the model has none. */
int mfm_train_job_inject(mfm_train_job *job, const mfm_arguments *given);
/* The same by --modulator: of the file's form, with its numbers. modulated: the model has one. */
int mfm_train_job_transfer(mfm_train_job *job, const mfm_arguments *given, bool modulated);
/* Makes two branches where the method trains such and the model has one. */
int mfm_train_job_branch(mfm_train_job *job, const mfm_arguments *given);
/* MFM_EINVAL when the images of a run that goes on were prepared otherwise when it began. */
int mfm_train_job_check_images(const mfm_train_job *job);
/* MFM_EINVAL when a run that goes on began with other images. */
int mfm_train_job_make_split(mfm_train_job *job);
/* Puts normalisation, class names and numbers of images into the model: into the checkpoint and
 * everything that is exported. */
int mfm_train_job_describe_data(mfm_train_job *job);
/* MFM_EINVAL for a training batch that is larger than the split: epochs would have no step; and for
 * one that does not reach all ranks. A meta batch is cut down to the meta set, with a warning where
 * its size was given. */
int mfm_train_job_fit_batches(mfm_train_job *job, const mfm_arguments *given,
                              mfm_train_options *options);
/* Says so when the last layer's biases start at --last-bias, but have been trained. */
void mfm_train_job_warn_of_bias(const mfm_train_job *job);
/* The problem of the split, with the model's numbers. */
int mfm_train_job_build(mfm_train_job *job, const mfm_train_options *options);
/* Before anything else: whether all ranks make one run or several, and go on or begin. */
int mfm_train_job_compare_start(mfm_train_job *job);
/* MFM_EINVAL where ranks differ in version, options, model, images or weights: the message tells
 * both values. */
int mfm_train_job_compare(mfm_train_job *job);
/* Goes through all that will be written, and read back, once, into a nameless file: what stands in
 * the way of the result is told before the first step. Changes nothing. */
int mfm_train_job_rehearse(mfm_train_job *job);
/* Starts the run folder: from here on files are written. */
/* Whether its images are files of their own. */
bool mfm_train_job_has_files(const mfm_train_job *job);
int mfm_train_job_begin(mfm_train_job *job);

/* The plain classifier with the present numbers; the caller frees *plain, NULL after an error. */
int mfm_train_job_plain(mfm_train_job *job, mfm_model **plain);

/* For a run that goes on: makes again what a kill kept from being made of the checkpoint. */
int mfm_train_job_renew(mfm_train_job *job);

mfm_train_events mfm_train_job_events(mfm_train_job *job);
/* Adds the command that goes on to the message of an interruption; returns MFM_EINTR. */
int mfm_train_job_interrupted(mfm_train_job *job);
/* Writes the output, reads it back, evaluates what was read, and prints the results. */
int mfm_train_job_finish(mfm_train_job *job);
void mfm_train_job_clear(mfm_train_job *job);

#endif
