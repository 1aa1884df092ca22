/*
 * A modulated network taken apart for the bilevel step.
 *
 * The main graph holds the plain path, the modulated tail and the losses over one set of parameters
 * w; modulation values h are inputs of it. The modulator graph makes h from the soft label with its
 * own parameters phi. What lies below the first modulated layer is there once, so its features are
 * computed once; what lies above it is there twice.
 */
#ifndef MFM_SPLIT_GRAPH_H
#define MFM_SPLIT_GRAPH_H

#include "core/data/batch.h"
#include "core/engine/plan.h"
#include "core/train/loss.h"
#include "core/train/network.h"

/* Segments of the main graph. */
enum mfm_segment {
    MFM_SEGMENT_SHARED,     /* up to the first modulated layer; without modulators, everything */
    MFM_SEGMENT_PLAIN,      /* the rest of the plain path */
    MFM_SEGMENT_SOFT_LABEL, /* y0 = softmax(logits) */
    MFM_SEGMENT_PLAIN_LOSS, /* the loss on the plain logits */
    MFM_SEGMENT_MODULATED,  /* the modulated tail and its loss */
    MFM_SEGMENT_META_LOSS   /* the meta batch's loss on the plain logits */
};
enum {
    MFM_SET_PLAIN = 1 << MFM_SEGMENT_SHARED | 1 << MFM_SEGMENT_PLAIN,
    MFM_SET_SOFT_LABEL = 1 << MFM_SEGMENT_SOFT_LABEL,
    MFM_SET_PLAIN_LOSS = MFM_SET_PLAIN | 1 << MFM_SEGMENT_PLAIN_LOSS,
    MFM_SET_META_LOSS = MFM_SET_PLAIN | 1 << MFM_SEGMENT_META_LOSS,
    MFM_SET_TAIL = 1 << MFM_SEGMENT_MODULATED,
    MFM_SET_MODULATED = 1 << MFM_SEGMENT_SHARED | MFM_SET_TAIL
};

typedef struct mfm_split_graph {
    mfm_ctx *ctx;
    mfm_graph *main;
    int images, labels;   /* inputs; labels are class numbers [batch] */
    int shares;           /* input [batch, classes]: labels that were mixed; -1: none */
    int table;            /* input of the losses (mfm_loss_fill_table); -1: none */
    int logits;           /* plain */
    int soft_label;       /* y0 [batch, classes] */
    int plain_loss;       /* scalar */
    int meta_loss;        /* scalar: cross-entropy, the meta set being balanced */
    int modulated_logits; /* -1 without modulators */
    int modulated_loss;   /* scalar; -1 without modulators */
    int64_t classes;
    mfm_loss_spec spec;        /* what is minimised; its loss is set */
    mfm_loss_ends plain_ends;  /* of the training loss on the plain logits */
    mfm_classifier classifier; /* its parameters in the main graph; weight -1: none */
    real *table_values;        /* [classes, classes] of the epoch; NULL: no table */

    mfm_graph *modulator;     /* NULL without modulators */
    int modulator_soft_label; /* its input */
    /* h: the i-th output of the modulator is the i-th hyper input of the main graph. */
    int *hyper_outputs, *hyper_inputs;
    size_t n_hyper;
} mfm_split_graph;

/* Fails when the modulator does not fit the pattern: h must depend on the soft label alone. The
 * parts take their parameters' numbers from the network; of a network without any they have none,
 * either. spec: what is minimised, NULL: cross-entropy; the network gets the classifier that the
 * loss wants. spec->chosen and ->task must outlive the result. */
int mfm_split_graph_new(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                        mfm_split_graph **split);
/* The table of an epoch: before its first step. */
void mfm_split_graph_set_epoch(const mfm_split_graph *split, uint64_t epoch);
/* Binds a batch to the inputs of a plan of the main graph. */
void mfm_split_graph_bind(const mfm_split_graph *split, mfm_plan *plan, const mfm_batch *batch);
void mfm_split_graph_free(mfm_split_graph *split);

/* For split_graph.c: the losses and the inputs that they read, when the logits are there. */
int mfm_split_graph_add_losses(mfm_split_graph *split);

#endif
