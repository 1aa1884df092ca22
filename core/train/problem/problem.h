/*
 * A training problem as data: the graph whose parameters w are trained, the hyper graphs whose
 * parameters phi shape its loss, and the links between them.
 *
 *     main graph    plain path      images -> logits -> losses -> loss      evaluated and exported
 *                   meta path       the same with cross-entropy, of a meta batch, which is balanced
 *                   objective path  images, h -> losses -> loss             what a step trains w on
 *     hyper graph   H(detached values of the main graph; phi) -> h
 *     link          one value of the main graph is one of a hyper graph
 *
 * MFM: h is scale and shift of features, from the soft label. Meta-Weight-Net: h is the samples'
 * weights, from their losses. L2RW and free modulation: h = phi itself, without a graph. Without
 * hyper graphs the objective is the plain path.
 *
 * Nodes lie in segments, so that each pass runs over those that it needs.
 */
#ifndef MFM_PROBLEM_H
#define MFM_PROBLEM_H

#include "core/data/batch.h"
#include "core/base/linkage.h"
#include "core/engine/plan/plan.h"
#include "core/train/losses/loss.h"

MFM_C_BEGIN

/* Segments of the main graph. */
enum mfm_segment {
    MFM_SEGMENT_SHARED,     /* what plain path and objective have in common */
    MFM_SEGMENT_PLAIN,      /* the rest of the plain path, up to the logits */
    MFM_SEGMENT_LOSSES,     /* losses on the plain logits that hyper graphs or the objective read */
    MFM_SEGMENT_SOURCE,     /* what only hyper graphs read */
    MFM_SEGMENT_PLAIN_LOSS, /* the loss of the plain path */
    MFM_SEGMENT_OBJECTIVE,  /* the rest of the objective, with its loss */
    MFM_SEGMENT_META_LOSS   /* the meta batch's loss on the plain logits */
};
enum {
    MFM_SET_PLAIN = 1 << MFM_SEGMENT_SHARED | 1 << MFM_SEGMENT_PLAIN,
    MFM_SET_SOURCE = 1 << MFM_SEGMENT_LOSSES | 1 << MFM_SEGMENT_SOURCE,
    MFM_SET_PLAIN_LOSS = MFM_SET_PLAIN | 1 << MFM_SEGMENT_LOSSES | 1 << MFM_SEGMENT_PLAIN_LOSS,
    MFM_SET_META_LOSS = MFM_SET_PLAIN | 1 << MFM_SEGMENT_META_LOSS,
    MFM_SET_REST = 1 << MFM_SEGMENT_OBJECTIVE,
    MFM_SET_OBJECTIVE = 1 << MFM_SEGMENT_SHARED | 1 << MFM_SEGMENT_LOSSES | MFM_SET_REST
};

/* Values of the main graph; -1: not there yet. */
typedef struct mfm_path {
    int logits;   /* [n, classes] */
    int adjusted; /* as the loss reads them, the same where it does not adjust them */
    int losses;   /* of the samples [n] */
    int loss;     /* scalar: their mean, with weights or without */
} mfm_path;

/* Where h comes from. */
enum mfm_hyper_kind {
    MFM_HYPER_GRAPH, /* a graph with parameters of its own */
    MFM_HYPER_ROWS,  /* phi [samples, width]: a row for each training image, picked by its place */
    MFM_HYPER_BATCH  /* phi [batch, width]: a row for each sample of the batch, given anew */
};

typedef struct mfm_hyper {
    char name[32]; /* of its vectors in a checkpoint */
    enum mfm_hyper_kind kind;
    mfm_graph
        *graph;    /* its parameters are phi: of ROWS one, [samples, width]; of BATCH none, NULL */
    bool in_model; /* phi lies in the model file, as parameters by their names */
    size_t width;  /* ROWS, BATCH: reals in a row */
} mfm_hyper;

/* main: a value of the main graph. value: one of the hyper graph; of ROWS and BATCH, where in a row
 * that value begins. */
typedef struct mfm_hyper_link {
    int main, hyper, value;
} mfm_hyper_link;

enum { MFM_MAX_HYPERS = 4 };

/* What no step changes (core/train/problem/frozen_nodes.h) is a graph of its own, which runs in
 * inference form: it is not differentiated, its parameters have no gradients, and what it makes of
 * an image is always the same. Its outputs are inputs of the main graph. */
typedef struct mfm_prefix {
    mfm_graph *graph;      /* NULL: there is none */
    int images;            /* input of graph */
    int *outputs, *inputs; /* [n] values of graph; the inputs of the main graph that they are */
    size_t n, outputs_capacity, inputs_capacity;
} mfm_prefix;

typedef struct mfm_problem {
    mfm_ctx *ctx;
    mfm_graph *main;
    mfm_prefix prefix;
    int images, labels; /* inputs; labels are class numbers [n]; images -1: prefix alone has them */
    int shares;         /* input [n, classes]: labels that were mixed; -1: none */
    int table;          /* input of the losses (mfm_loss_fill_table); -1: none */
    int costs;          /* input of a loss that has costs; -1: none */
    int64_t classes;
    mfm_path plain, meta, objective;
    mfm_loss_spec spec;        /* what is minimised; its loss is set */
    mfm_classifier classifier; /* its parameters in the main graph; weight -1: none */
    real *table_values;        /* [classes, classes] of the epoch; NULL: no table */
    real *cost_logs;           /* [classes, classes]; NULL: no costs */
    mfm_hyper hypers[MFM_MAX_HYPERS];
    int n_hypers;
    bool trains_hypers; /* the objective trains phi, where other methods have a meta loss */
    mfm_hyper_link
        *reads; /* a value of the main graph, held constant -> an input of a hyper graph */
    size_t n_reads, reads_capacity;
    mfm_hyper_link *gives; /* h: an output of a hyper graph -> an input of the main graph */
    size_t n_gives, gives_capacity;
} mfm_problem;

/* spec: what is minimised, NULL: cross-entropy. spec->chosen and ->task must outlive the result. */
int mfm_problem_new(mfm_ctx *ctx, int64_t classes, const mfm_loss_spec *spec,
                    mfm_problem **problem);
void mfm_problem_free(mfm_problem *problem);

/* The table of an epoch: before its first step. */
void mfm_problem_set_epoch(const mfm_problem *problem, uint64_t epoch);
/* The costs of the loss from now on, [classes, classes]: 1 before. */
void mfm_problem_set_costs(const mfm_problem *problem, const real *costs);
/* Binds a batch to the inputs of a plan of the main graph; with its features where there is a
 * prefix. */
void mfm_problem_bind(const mfm_problem *problem, mfm_plan *plan, const mfm_batch *batch);
/* The input that the images are given to: of the prefix where that alone has them. */
const mfm_shape *mfm_problem_image_shape(const mfm_problem *problem);

/* ---- for those who build one ---------------------------------------------------------------- */

/* Adds a hyper graph, or rows of phi of that width; sets *index. The problem takes graph over, also
 * when this fails. */
int mfm_problem_add_hyper(mfm_problem *problem, const char *name, enum mfm_hyper_kind kind,
                          mfm_graph *graph, size_t width, int *index);
/* Instead of a hyper graph that makes h: phi itself, zeros, a row for each of the samples. */
int mfm_problem_use_rows(mfm_problem *problem, int hyper, const char *name, uint32_t samples);
int mfm_problem_read(mfm_problem *problem, int main, int hyper, int value);
int mfm_problem_give(mfm_problem *problem, int hyper, int value, int main);

/* The main graph's input that is a value of the prefix's graph: made where it is not there yet.
 * shape: dim[0] -1, the batch. */
int mfm_problem_prefix_input(mfm_problem *problem, int output, const char *name,
                             const mfm_shape *shape, int *input);

/* path->adjusted and ->losses from path->logits, by the loss of the spec. */
int mfm_problem_add_losses(mfm_problem *problem, int segment, const char *name, mfm_path *path);
/* The same for other labels than those of the batch: an input like these. */
int mfm_problem_add_losses_on(mfm_problem *problem, int segment, const char *name, int labels,
                              mfm_path *path);
int mfm_problem_add_mean_on(mfm_problem *problem, int segment, const char *name, int labels,
                            int weights, mfm_path *path);
/* path->loss from path->losses; weights: a value [n] that scales them, or -1. */
int mfm_problem_add_mean(mfm_problem *problem, int segment, const char *name, int weights,
                         mfm_path *path);
/* Adds what is not there of the plain path and the meta path; without an objective the plain path
 * is it. Then the main graph is fused and the problem complete. */
int mfm_problem_finish(mfm_problem *problem);

MFM_C_END

#endif
