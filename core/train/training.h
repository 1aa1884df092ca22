/*
 * One training run's state: what changes from step to step, and so what a checkpoint holds,
 * together with the graphs and options that give it meaning.
 */
#ifndef MFM_TRAINING_H
#define MFM_TRAINING_H

#include "core/data/feed.h"
#include "core/base/linkage.h"
#include "core/train/finishing/finishing.h"
#include "core/train/bilevel/hyper_training.h"
#include "core/train/methods/method.h"
#include "core/train/optimizers/optimizer.h"
#include "core/train/schedules/schedule.h"
#include "core/train/optimizers/sharpness.h"

MFM_C_BEGIN

struct mfm_frozen_features;
struct mfm_comm;

struct mfm_train_options {
    const mfm_method *method;
    const mfm_loss *loss; /* NULL: cross-entropy */
    /* What was chosen of the settings that the parts of this run declare, ended by one without
     * settings; those that are not here have their defaults. Outlives the training. */
    const mfm_chosen *chosen;
    uint32_t epochs, batch, meta_batch; /* batches of all ranks together */
    mfm_schedule schedule;
    const mfm_optimizer_kind *optimizer; /* NULL: sgd */
    double weight_decay;
    bool spare_vectors;                   /* biases and normalisations do not decay */
    double sharpness;                     /* rho of sharpness-aware steps; 0: plain ones */
    const mfm_sampler_kind *sampler;      /* of training batches; NULL: shuffle */
    const mfm_sampler_kind *meta_sampler; /* of meta batches; NULL: shuffle */
    uint32_t defer_resample;              /* epochs of shuffling before it sets in */
    const mfm_mixing *mixing;             /* of training batches; NULL: none */
    const mfm_finishing *finishing;       /* of what is evaluated and written; NULL: none */
    double feature_memory;     /* MiB for features of a frozen prefix; 0: none are kept there */
    const char *feature_cache; /* folder that has them from run to run; NULL: none */
    double feature_cache_size; /* MiB that its files may take; 0: any number */
    uint32_t augmented_copies; /* of each image that is augmented; 0: a new one each time */
    uint64_t seed;
    struct mfm_comm *comm; /* the ranks that train together; NULL: one */
    int ranks;             /* without comm: plans are those of rank 0 of so many; 0: of one */
    bool local_statistics; /* BatchNormalization over each rank's own images */
    bool by_threads;       /* results may depend on the number of threads */
};

/* What this rank has of a batch of so many samples. */
mfm_share mfm_options_share(const mfm_train_options *options, uint32_t batch);

/* The structure that was chosen of these settings, or their defaults. */
const void *mfm_chosen_values(const mfm_train_options *options, const mfm_settings *settings);

/* Counters of a run; with the vectors of mfm_training they make resuming bit-identical. */
typedef struct mfm_counters {
    uint64_t step;                     /* steps taken */
    uint64_t batches[MFM_MAX_STREAMS]; /* read of each stream */
    /* Sums over the steps of the epoch under way. */
    double train_loss_sum, meta_loss_sum;
    uint64_t epoch_steps, epoch_meta_steps; /* the latter with a meta loss */
    /* Over the epochs evaluated so far; error in percent, best_epoch counted from 1. */
    double best_error, last_error;
    uint32_t best_epoch;
    /* The same on the validation part, and the test error of that epoch; NAN, and epoch 0, without
     * one. */
    double best_validation_error, last_validation_error, best_validation_test_error;
    uint32_t best_validation_epoch;
    double seconds; /* spent in training, all sessions */
} mfm_counters;

/* A vector of a run's state: what checkpoints keep, and what must stay finite. */
typedef struct mfm_kept {
    char name[48];
    const char *what;        /* in messages: "weights" */
    const mfm_graph *layout; /* of whose parameters there is one number each; NULL: of none */
    real *data;
    size_t count;  /* reals */
    bool in_model; /* layout's parameters themselves, as the model file has them */
} mfm_kept;

/* A count of a run's state: the steps of an optimiser. */
typedef struct mfm_kept_count {
    char name[48];
    uint64_t *count;
} mfm_kept_count;

/* Hyper-parameters of one hyper graph, and what trains them. */
typedef struct mfm_hyper_state {
    real *phi;               /* laid out as its graph, or in rows; NULL: the method has no use */
    mfm_optimizer optimizer; /* first NULL: phi is not trained */
    mfm_sharpness sharpness; /* of phi, where the objective trains it */
} mfm_hyper_state;

enum { MFM_MAX_KEPT = 24 };

struct mfm_training {
    mfm_ctx *ctx;
    mfm_train_options options;
    const mfm_problem *problem;
    real *w, *state; /* laid out as problem->main */
    mfm_optimizer optimizer;
    mfm_sharpness sharpness;
    mfm_hyper_state hypers[MFM_MAX_HYPERS]; /* one for each hyper graph */
    real *costs;                            /* of the loss [classes, classes]; NULL: it has none */
    mfm_counters counters;
    uint64_t epoch;                        /* under way, from 0 */
    void *method_state;                    /* the method's own: plans and buffers */
    struct mfm_frozen_features *features;  /* of the problem's prefix; NULL: there is none */
    real **feature_rooms[MFM_MAX_STREAMS]; /* for a batch of each stream */
    mfm_kept kept[MFM_MAX_KEPT];
    mfm_kept_count kept_counts[MFM_MAX_KEPT];
    int n_kept, n_kept_counts;
};

/* Starts from the numbers in the problem's graphs. The problem is that of the options' method
 * (mfm_method_build), and must outlive the result. */
int mfm_training_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_train_options *options,
                     mfm_training **training);
void mfm_training_free(mfm_training *training);

/* ---- for methods ---------------------------------------------------------------------------- */

/* What this rank has of a training batch, and of a meta batch. */
mfm_share mfm_training_share(const mfm_training *training);
mfm_share mfm_training_meta_share(const mfm_training *training);
/* For sweeps over the problem's main graph. */
struct mfm_gradient_sum;
int mfm_training_gradient_sum(const mfm_training *training, struct mfm_gradient_sum **sum);
/* Of what each rank has, in place. */
void mfm_training_sum(const mfm_training *training, real *values, size_t count);

/* From here on the vector belongs to the run's state. */
int mfm_training_keep(mfm_training *training, const mfm_kept *kept);
int mfm_training_keep_count(mfm_training *training, const char *name, uint64_t *count);
/* Keeps the moments and the steps of an optimiser; prefix "" for that of w, else "NAME.". */
int mfm_training_keep_optimizer(mfm_training *training, const char *prefix,
                                mfm_optimizer *optimizer);
/* Where the loss says so, the biases of the last layer start: at the run's beginning, and after a
 * method has given that layer other numbers. */
void mfm_training_start_bias(mfm_training *training);
/* An optimiser as the run's options have it. */
int mfm_training_make_optimizer(const mfm_training *training, const mfm_graph *graph,
                                mfm_optimizer *optimizer);
/* Hyper-parameters of hyper graph `index`, from its numbers, kept, with an optimiser of that kind;
 * how NULL: without one. */
int mfm_training_add_hyper(mfm_training *training, int index, const mfm_modulator_training *how);

/* ---- for whoever takes steps ------------------------------------------------------------------
 */

/* Gives a batch of a stream what the problem's prefix makes of its images, or what is kept of them:
 * `images` is the part of the dataset that they come from, NULL: none. It holds until the next call
 * for the stream. Before every step of a problem with a prefix; does nothing without. Fails only
 * where what is kept lies in a file that is damaged. */
int mfm_training_add_features(mfm_training *training, int stream, const mfm_images *images,
                              mfm_batch *batch);

/* ---- for whoever looks at a run ---------------------------------------------------------------
 */

/* The kept vector of that name; NULL when there is none. */
const mfm_kept *mfm_training_kept(const mfm_training *training, const char *name);
/* Bytes of all kept vectors. */
size_t mfm_training_kept_bytes(const mfm_training *training);
/* Bytes of what belongs to the prefix: buffers, and features that are kept. */
size_t mfm_training_features_bytes(const mfm_training *training);
/* Where the biases of the last layer start; 0: as the model has them. */
double mfm_training_bias_start(const mfm_training *training);
/* Whether the weights that are evaluated differ from those that are trained. */
bool mfm_training_evaluates_copy(const mfm_training *training);
/* Whether the weights that are written differ from those that are trained. */
bool mfm_training_finishes(const mfm_training *training);
/* The weights as they are evaluated in the problem's graph (written: false), or as a plain
 * classifier has them: params, laid out as w. */
void mfm_training_finish(const mfm_training *training, bool written, real *params);

/* Rank 0's running statistics for all, where each has its own: those are what is evaluated and
 * kept. */
void mfm_training_share_statistics(mfm_training *training);
/* MFM_EDATA when ranks have come to different weights: each takes the steps by itself, and machines
 * that compute otherwise would drift apart. */
int mfm_training_check_alike(const mfm_training *training);
/* MFM_ENAN when a parameter or running statistic is no finite number. */
int mfm_training_check_finite(const mfm_training *training);

MFM_C_END

#endif
