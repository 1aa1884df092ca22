/* Which images a run reads in which form, and so whose features are kept (keep_features.h). */
#ifndef MFM_RUN_FEATURES_H
#define MFM_RUN_FEATURES_H

#include "core/train/features/keep_features.h"
#include "core/train/trainer.h"

/* Augmented copies that batches read of each image; 0: images are not augmented, or anew in each
 * step, as without frozen layers. */
uint32_t mfm_copies_of_run(const mfm_training *training, const mfm_train_data *data);
/* Before the first step. Tells what is kept. */
int mfm_keep_run_features(mfm_training *training, const mfm_train_data *data,
                          const mfm_train_events *events, const mfm_feature_watch *watch);

#endif
