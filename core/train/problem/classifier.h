/*
 * The fully connected layer that makes a network's logits: z = W f + b, as Gemm, or MatMul and Add.
 */
#ifndef MFM_CLASSIFIER_H
#define MFM_CLASSIFIER_H

#include "core/base/linkage.h"
#include "core/train/problem/network.h"

MFM_C_BEGIN

typedef struct mfm_classifier {
    const mfm_graph *graph;
    int features;  /* the layer's input: [n, width]; -1: not known */
    int weight;    /* parameter; -1: there is no such layer */
    int bias;      /* parameter [classes]; -1: none */
    bool by_class; /* weight is [classes, width], else [width, classes] */
    int64_t classes, width;
    bool one_number; /* the network's logits are (0, z): no layer makes those of all classes */
} mfm_classifier;

/* weight is -1 when the logits are made in another way. */
mfm_classifier mfm_classifier_find(const mfm_network *network);
/* The same layer's parameters in another graph that has them by the same names. */
mfm_classifier mfm_classifier_in(const mfm_graph *graph, const mfm_classifier *classifier);
/* MFM_ENOTSUP with a message when there is none; `what` wants it. */
int mfm_classifier_need(mfm_ctx *ctx, const mfm_classifier *classifier, const char *what);

/* Where W_cf lies in a parameter vector, and b_c. */
size_t mfm_classifier_at(const mfm_classifier *classifier, int64_t c, int64_t f);
size_t mfm_classifier_bias_at(const mfm_classifier *classifier, int64_t c);
/* |W_c|, without the bias. */
double mfm_classifier_norm(const mfm_classifier *classifier, const real *params, int64_t c);
/* W_c *= scale. */
void mfm_classifier_scale(const mfm_classifier *classifier, real *params, int64_t c, double scale);
/* b = 0, where there is a bias. */
void mfm_classifier_drop_bias(const mfm_classifier *classifier, real *params);

/* Another classifier in the network, in front of the loss: z_c = scale cos(f, W_c). The parameters
 * stay; the bias has no effect. */
int mfm_network_use_cosines(mfm_ctx *ctx, mfm_network *network, double scale);

MFM_C_END

#endif
