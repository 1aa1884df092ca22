/*
 * What methods share that train the classifier alone, on frozen features (Kang et al., "Decoupling
 * Representation and Classifier for Long-Tailed Recognition", ICLR 2020): the second of two stages.
 * A method of this kind says what of the classifier is trained.
 */
#ifndef MFM_HEAD_TRAINING_H
#define MFM_HEAD_TRAINING_H

#include "core/train/training.h"

/* The plan of a problem of features (core/train/problem/split_network.h), or of a whole network
 * whose classifier alone learns: running statistics of its main graph follow the batches. The
 * objective's values h, where there are any, are bound to phi of the training's hyper graphs, and
 * their adjoints kept. For mfm_method. */
int mfm_head_begin(mfm_training *training);
void mfm_head_end(mfm_training *training);
size_t mfm_head_bytes(const mfm_training *training);

/* Forward and backward of the objective over a batch; returns its value. */
double mfm_head_run(mfm_training *training, const mfm_batch *batch);
/* For mfm_sharpen: the gradient for the numbers that are there now, over the batch of the last run;
 * self is the training. */
const real *mfm_head_gradient_again(void *training);
/* Of the last run: laid out as w, and of a value of the main graph that the problem gives. */
const real *mfm_head_gradient(const mfm_training *training);
const real *mfm_head_give_gradient(const mfm_training *training, size_t link);

#endif
