/*
 * The cost matrix of CoSen (Khan et al., "Cost-Sensitive Learning of Deep Feature Representations
 * from Imbalanced Data", TNNLS 2018, arXiv 1508.03422) and how it changes between two epochs. With
 * h_p the share of class p among the training images,
 *     H_pq = max(h_p, h_q), H_pp = h_p
 *     S_pq = mean over the samples of class p of d_p / d_q, the distances of its features to the
 *            nearest other sample of class p and to the nearest of class q; S_pp = 1
 *     R_pq = share of the images of class p that are classified as q
 *     T    = H exp(-(S - m_S)^2 / (2 s_S^2)) exp(-(R - m_R)^2 / (2 s_R^2))         element by
 * element xi  <- xi - rate * gradient of |T - xi|^2 = xi + 2 rate (T - xi), within (0, 1] The
 * paper's objective also has the validation error, of which xi has no gradient: it is left out.
 */
#ifndef MFM_COSTS_H
#define MFM_COSTS_H

#include "core/train/losses/loss.h"

typedef struct mfm_cost_values {
    double rate;
    double separability_mean, separability_deviation; /* m_S, s_S */
    double confusion_mean, confusion_deviation;       /* m_R, s_R */
    uint64_t images; /* of each class, whose features are compared */
} mfm_cost_values;

/* S [classes, classes] of features [count, width]; NAN where nothing is known: class p has fewer
 * than two samples, or q none. A distance of zero to another class counts as that to the own. */
int mfm_costs_separability(mfm_ctx *ctx, const mfm_loss_view *view, double *S);
/* T [classes, classes] from S and the confusion; what is not known is a factor of 1. */
void mfm_costs_target(const mfm_loss_view *view, const mfm_cost_values *values, const double *S,
                      double *T);
/* The step of xi, [classes, classes] both. */
void mfm_costs_step(const mfm_cost_values *values, int64_t classes, const double *T, real *xi);

#endif
