/* Cross-entropy of softmax over the site's logits: what most losses end in. */
#ifndef MFM_CROSS_ENTROPY_H
#define MFM_CROSS_ENTROPY_H

#include "core/train/losses/loss.h"

int mfm_cross_entropy_build(const mfm_loss_site *site, int *losses);
/* *adjusted = logits + shift_c, shift [classes]. */
int mfm_shift_logits(const mfm_loss_site *site, const real *shift, int *adjusted);
/* *adjusted = logits + tau log pi_c, pi_c the share of class c among the training images. */
int mfm_adjust_by_prior(const mfm_loss_site *site, double tau, int *adjusted);

#endif
