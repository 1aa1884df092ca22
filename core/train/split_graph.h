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

#include "core/train/network.h"

/* Segments of the main graph. */
enum mfm_segment {
    MFM_SEGMENT_SHARED,     /* up to the first modulated layer; without modulators, everything */
    MFM_SEGMENT_PLAIN,      /* the rest of the plain path */
    MFM_SEGMENT_SOFT_LABEL, /* y0 = softmax(logits) */
    MFM_SEGMENT_PLAIN_LOSS, /* the loss on the plain logits */
    MFM_SEGMENT_MODULATED   /* the modulated tail and its loss */
};
enum {
    MFM_SET_PLAIN = 1 << MFM_SEGMENT_SHARED | 1 << MFM_SEGMENT_PLAIN,
    MFM_SET_SOFT_LABEL = 1 << MFM_SEGMENT_SOFT_LABEL,
    MFM_SET_PLAIN_LOSS = MFM_SET_PLAIN | 1 << MFM_SEGMENT_PLAIN_LOSS,
    MFM_SET_TAIL = 1 << MFM_SEGMENT_MODULATED,
    MFM_SET_MODULATED = 1 << MFM_SEGMENT_SHARED | MFM_SET_TAIL
};

typedef struct mfm_split_graph {
    mfm_ctx *ctx;
    mfm_graph *main;
    int images, labels;   /* inputs; labels are class numbers [batch] */
    int logits;           /* plain */
    int soft_label;       /* y0 [batch, classes] */
    int plain_loss;       /* scalar */
    int modulated_logits; /* -1 without modulators */
    int modulated_loss;   /* scalar; -1 without modulators */
    int64_t classes;

    mfm_graph *modulator;     /* NULL without modulators */
    int modulator_soft_label; /* its input */
    /* h: the i-th output of the modulator is the i-th hyper input of the main graph. */
    int *hyper_outputs, *hyper_inputs;
    size_t n_hyper;
} mfm_split_graph;

/* Fails when the modulator does not fit the pattern: h must depend on the soft label alone. The
 * parts take their parameters' numbers from the network; of a network without any they have none,
 * either. */
int mfm_split_graph_new(mfm_ctx *ctx, mfm_network *network, mfm_split_graph **split);
void mfm_split_graph_free(mfm_split_graph *split);

#endif
