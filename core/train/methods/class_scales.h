/*
 * One factor for each class, trained beside or instead of a classifier (Kang et al., ICLR 2020,
 * section 4.2): z_c = s_c (W_c f + b_c), s_c = 1 at the start. What methods share that train such
 * factors: the problem's hyper graph of one parameter s [classes], its optimiser, and folding it
 * into W and b, which makes a plain classifier again. The authors' code scales the bias, too.
 */
#ifndef MFM_CLASS_SCALES_H
#define MFM_CLASS_SCALES_H

#include "core/train/training.h"

/* Completes a problem that has its plain path: the objective is the loss of the scaled logits.
 * MFM_EINVAL: the loss brings a classifier of its own. */
int mfm_class_scales_build(mfm_problem *problem);
/* For mfm_method's begin: s, with an optimiser and sharpness-aware steps as those of w, and the
 * head. */
int mfm_class_scales_begin(mfm_training *training);
/* A step along the adjoint of s in the last run of the head (core/train/features/head_training.h).
 */
void mfm_class_scales_step(mfm_training *training, double lr, const real *gradient);
/* For mfm_method's fold. */
void mfm_class_scales_fold(const mfm_training *training, real *params);

#endif
