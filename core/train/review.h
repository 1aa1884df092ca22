/* What a loss is shown of the run between two epochs, and changes its costs by. */
#ifndef MFM_REVIEW_H
#define MFM_REVIEW_H

#include "core/train/evaluate.h"
#include "core/train/trainer.h"

/* For a loss that has costs: classifies the validation images, without any the training images, and
 * takes features of some training images. params: the weights as they are evaluated. confusion is
 * used meanwhile. Costs change at the end, or not at all. */
int mfm_review(mfm_training *training, const mfm_train_data *data, mfm_evaluator *evaluator,
               real *params, const mfm_evaluation_watch *watch, mfm_confusion *confusion);

/* Tells, as notes, what the loss does beside being minimised. */
void mfm_tell_loss(const mfm_training *training, const mfm_train_data *data,
                   const mfm_train_events *events);

#endif
