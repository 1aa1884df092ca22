/* The surest of the misclassified images, with their pictures. */
#ifndef MFM_MISTAKES_H
#define MFM_MISTAKES_H

#include "core/data/sources/dataset.h"
#include "tools/report/run_evaluation.h"

typedef struct mfm_mistakes {
    mfm_page_mistake *item; /* [count], the surest first */
    int count, room;
} mfm_mistakes;

int mfm_mistakes_init(mfm_ctx *ctx, mfm_mistakes *mistakes, int room);
void mfm_mistakes_clear(mfm_ctx *ctx, mfm_mistakes *mistakes);
/* An image that was classified wrongly, kept if it is among the surest; logits [classes]. */
void mfm_mistakes_offer(mfm_mistakes *mistakes, uint32_t index, const mfm_outcome *outcome,
                        const real *logits, int classes);
/* Adds them to the record's page, with pictures where the images have 1 or 3 channels. */
int mfm_mistakes_show(const mfm_mistakes *mistakes, const mfm_dataset *dataset,
                      mfm_run_record *record, mfm_run_evaluation *evaluation);

#endif
