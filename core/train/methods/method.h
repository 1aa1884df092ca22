/*
 * A training method as a declaration: its name, the settings it offers, the streams of batches that
 * a step reads, and the functions that carry it out. Command line, help, run.json, bench, memory
 * prediction and checkpoint read this and nothing else of a method.
 *
 * Adding one: a file in methods/ that defines `const mfm_method mfm_method_NAME`, and a line in
 * methods.def.
 */
#ifndef MFM_METHOD_H
#define MFM_METHOD_H

#include <stdbool.h>

#include "core/base/linkage.h"
#include "core/base/option.h"
#include "core/base/share.h"
#include "core/data/augmentations/augmentation.h"
#include "core/data/batch.h"
#include "core/train/evaluate.h"
#include "core/train/problem/network.h"
#include "core/train/problem/problem.h"

MFM_C_BEGIN

typedef struct mfm_training mfm_training;
typedef struct mfm_train_options mfm_train_options;

enum mfm_batch_source {
    MFM_FROM_TRAIN, /* the training images, --batch of them */
    MFM_FROM_META   /* the balanced meta set, --meta-batch of them */
};

/* Batches that a method reads. */
typedef struct mfm_stream_spec {
    const char *name; /* as tables and messages call it */
    enum mfm_batch_source from;
    bool (*wanted)(const mfm_train_options *options); /* NULL: always */
    const char *sampler;                              /* of training images; NULL: the run's */
} mfm_stream_spec;

enum { MFM_MAX_STREAMS = 2 };

/* A stream of one run. */
typedef struct mfm_stream_use {
    const mfm_stream_spec *spec;
    uint32_t batch;  /* images of all ranks together */
    mfm_share share; /* this rank's */
} mfm_stream_use;

typedef struct mfm_step_losses {
    double train;
    double meta; /* 0 for a step without meta batch */
} mfm_step_losses;

/* A run as options ask for it, for those who tell which of them have no effect. */
typedef struct mfm_run_facts {
    const mfm_train_options *options;
    const mfm_augment *augment; /* of training images */
    bool files;                 /* images are files of their own */
} mfm_run_facts;

typedef struct mfm_method {
    const char *name;
    const char *summary;
    bool needs_modulator;                /* trains a model with feature modulators in it */
    bool free_modulation;                /* of these the layers alone: their network is not read */
    bool keeps_model;                    /* no tensor of the model is trained */
    bool last_layer_alone;               /* of the model's tensors those of the last layer are */
    bool rebalances;                     /* favours classes by their number of images */
    bool sharpens;                       /* takes sharpness-aware steps when they are asked for */
    bool needs_end;                      /* what a step does depends on the number of epochs */
    const mfm_settings *const *settings; /* ended by NULL; NULL: none */
    /* The layer at which two branches begin, for a method that trains a model with such (NULL: the
     * last residual block). NULL for others. */
    const char *(*branch_layer)(const mfm_train_options *options);
    /* The first feeds the loss that is trained. */
    mfm_stream_spec streams[MFM_MAX_STREAMS + 1]; /* ended by one without name */
    const char *sampler; /* of training batches where none is chosen; NULL: shuffle */
    /* The rate, beside --lr, that a run that explodes may owe it to: an option; NULL: none. */
    const char *rate_option;
    /* What a modulator that lies in the model reads, in words that its file keeps, so that it is
     * not fed with something else in another run; NULL: the method has none. */
    const char *(*modulator_input)(const mfm_train_options *options);
    /* Describes what is trained: task and network are known, the numbers of parameters may not be.
     * NULL: the plain path of the network (mfm_problem_plain). */
    int (*build)(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem);
    /* Makes the plans and what the method keeps; sets training->method_state. */
    int (*begin)(mfm_training *training);
    /* Whether the classifier starts anew, whatever the model has. NULL: it does not. */
    bool (*renews_classifier)(const mfm_train_options *options);
    /* Before the first step of a session, when a checkpoint has been restored. NULL: nothing. */
    int (*start)(mfm_training *training);
    /* Whether the step that comes next reads that stream; NULL: each step reads all. */
    bool (*reads)(const mfm_training *training, int stream);
    /* One step at learning rate lr: updates the training's vectors. batches: one for each stream of
     * the run, empty where it is not read. Cannot fail. */
    void (*step)(mfm_training *training, const mfm_batch *batches, double lr,
                 mfm_step_losses *losses);
    /* Brings into a copy of w what is trained beside it, as the plain path is evaluated and
     * written. NULL: nothing is. */
    void (*fold)(const mfm_training *training, real *params);
    void (*end)(mfm_training *training);
    /* Bytes of buffers that the method holds. */
    size_t (*bytes)(const mfm_training *training);
} mfm_method;

/* Ended by NULL; these stand first: what holds when none is chosen, and the plain step. */
extern const mfm_method *const mfm_methods[];
enum { MFM_METHOD_USUAL, MFM_METHOD_PLAIN };
const mfm_method *mfm_method_find(const char *name);

/* What a run with these options trains; the caller frees *problem. Names the method in failures. */
int mfm_method_build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                     const mfm_train_options *options, mfm_problem **problem);

/* For mfm_option's idle: why nothing of the meta set has an effect, NULL: it has one. values may be
 * NULL. */
const char *mfm_no_meta_set(const void *values, const mfm_run_facts *run);

/* What is minimised: the options' loss, on that task (NULL: not known). */
mfm_loss_spec mfm_loss_spec_of(const mfm_train_options *options, const mfm_task *task);

/* The streams that a run with these options reads; returns their number. */
int mfm_method_streams(const mfm_train_options *options, mfm_stream_use uses[MFM_MAX_STREAMS]);
/* Whether one of them comes from the meta set. */
bool mfm_method_reads_meta(const mfm_train_options *options);

MFM_C_END

#endif
