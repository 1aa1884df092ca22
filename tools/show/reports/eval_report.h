/* What eval tells of a model: figures over all images, of each class, and of groups of classes. */
#ifndef MFM_EVAL_REPORT_H
#define MFM_EVAL_REPORT_H

#include "core/data/split.h"
#include "core/data/test_prior.h"
#include "core/report/class_groups.h"
#include "core/report/confusion.h"
#include "core/report/mcnemar.h"
#include "core/report/predictions.h"
#include "tools/train/session.h"

/* A distribution that the test images were drawn to have. */
typedef struct mfm_evaluation_prior {
    const char *text; /* as the option tells it; NULL: all test images */
    uint64_t seed;
    mfm_test_prior *drawn;
} mfm_evaluation_prior;

/* A second model that was given the same images. */
typedef struct mfm_evaluation_rival {
    const char *path; /* NULL: there is none */
    double error;
    mfm_mcnemar test; /* the model of the evaluation is the first */
} mfm_evaluation_rival;

typedef struct mfm_evaluation {
    mfm_session session;
    mfm_split *split;      /* by the options; NULL: none of them was given */
    const uint32_t *train; /* [counted] training images, of the options or the model; NULL */
    int counted;
    mfm_class_borders borders;
    mfm_evaluation_prior prior;
    mfm_evaluation_rival rival;
    mfm_confusion confusion;
    mfm_predictions predictions;
    double loss;
} mfm_evaluation;

/* On standard output. */
int mfm_eval_print_json(const mfm_evaluation *evaluation);
void mfm_eval_print_text(const mfm_evaluation *evaluation);

#endif
