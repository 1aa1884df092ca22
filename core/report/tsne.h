/*
 * t-SNE (van der Maaten and Hinton, JMLR 9, 2008), exact: points of many dimensions laid out in the
 * plane so that neighbours stay neighbours.
 *
 * p(j|i) is a Gaussian around x_i of the width that gives it the perplexity asked for, P the mean
 * of p(j|i) and p(i|j) over all pairs, q(i, j) proportional to 1 / (1 + |y_i - y_j|^2); the
 * objective is the Kullback-Leibler divergence of Q from P, in nats. Descended with momentum and
 * gains, P being 12 times itself at first, as scikit-learn does. Debian has no library of it in C.
 */
#ifndef MFM_TSNE_H
#define MFM_TSNE_H

#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

typedef struct mfm_tsne_options {
    double perplexity; /* a number of neighbours; made smaller than a third of the points */
    int iterations;
    int starts; /* descents, of which the one with the lowest objective counts */
    uint64_t seed;
} mfm_tsne_options;

extern const mfm_tsne_options mfm_tsne_defaults; /* 30, 1000, 2, 0 */

/* P [n, n] of x [n, d]: symmetric, 0 on the diagonal, of sum 1. */
int mfm_tsne_similarities(mfm_ctx *ctx, const double *x, int n, int d, double perplexity,
                          double *p);
/* The objective of y [n, 2]. */
double mfm_tsne_objective(const double *p, const double *y, int n);
/* y [n, 2]; *objective is what it came to. The same bits for any number of threads. n >= 4;
 * MFM_EINVAL for numbers that are not finite. */
int mfm_tsne(mfm_ctx *ctx, const double *x, int n, int d, const mfm_tsne_options *options,
             double *y, double *objective);

MFM_C_END

#endif
