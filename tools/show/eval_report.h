/* What eval tells of a model: figures over all images, of each class, and of groups of classes. */
#ifndef MFM_EVAL_REPORT_H
#define MFM_EVAL_REPORT_H

#include "core/data/split.h"
#include "core/report/confusion.h"
#include "tools/train/session.h"

typedef struct mfm_evaluation {
    mfm_session session;
    mfm_split *split;      /* by the options; NULL: none of them was given */
    const uint32_t *train; /* [counted] training images, of the options or the model; NULL */
    int counted;
    mfm_confusion confusion;
    double loss;
} mfm_evaluation;

/* On standard output. */
int mfm_eval_print_json(const mfm_evaluation *evaluation);
void mfm_eval_print_text(const mfm_evaluation *evaluation);

#endif
